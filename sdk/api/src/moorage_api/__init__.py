"""containerd's API: messages, method tables, serving and calling, errors and codes, filters.

Only ``serving`` and ``calling`` import grpc. Importing ``moorage_api.messages.<name>`` registers nothing: a message
class is built from the committed descriptor sets when it is first asked for.
"""
