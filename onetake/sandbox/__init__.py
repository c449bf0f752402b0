"""The sandbox: embedded storage and a stand-in endpoint, to rehearse the whole chain without cost."""
