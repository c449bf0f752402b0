"""The sandbox: embedded storage and a stand-in endpoint, so that the whole chain can be rehearsed for nothing."""
