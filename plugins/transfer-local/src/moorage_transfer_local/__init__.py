"""Images from registries into the store: resolve, fetch, unpack, name.

The modules, from the wire upwards: ``transports`` (one HTTP hop), ``credentials`` (challenges and tokens),
``registries`` (requests that survive a bad registry), ``hosts`` and ``references`` (where an image lives),
``manifests`` (what a registry says about an image), ``fetches`` (one blob), ``unpacks`` (one stack of layers),
``pulls`` (all of it).
"""
