"""The command ``moorage``. Importing it imports click and nothing heavier; each verb brings its own imports."""
