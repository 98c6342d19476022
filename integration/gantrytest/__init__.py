"""What the integration tests share: the machine, bundles, runtimes, images, the agent, and the search for leftovers."""
