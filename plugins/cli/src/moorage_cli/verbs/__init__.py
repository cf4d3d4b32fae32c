"""One module per verb, each with a click command named ``command``. Imported when the verb is used."""
