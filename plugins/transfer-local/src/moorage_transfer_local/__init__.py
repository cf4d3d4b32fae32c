"""Images between registries, archives and the store: resolve, fetch, unpack, name.

The modules, from the wire upwards: ``pools`` and ``transports`` (one HTTP hop), ``credentials`` (challenges and
tokens), ``servers`` (requests that survive a bad server), ``registries`` (one repository), ``hosts``
(where an image lives), ``manifests`` (what is said about it), ``fetches`` (one blob), ``stacks`` and ``unpacks``
(layers), ``pulls``, ``transfers`` (all of it).

Pushes: ``destinations`` (one repository), ``inventories`` (what an image consists of, in order), ``uploads`` (one
blob), ``pushes``.

Archives: ``archives`` (what is in a tar) and ``ingests`` (its way into the store), ``docker_archives`` and ``listings``
(manifests for those that have none), ``imports``, ``exports``; ``names`` says what images are called.

urllib3 is imported where it is called: every start of the daemon would wait for it, and many never pull.
"""
