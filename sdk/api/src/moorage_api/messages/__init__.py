"""One module per service or group of types, each with the names that protoc would give it. See ``definitions``."""
