"""Load: scenarios and plans as data, the Locust-driven generator's own process, and its remote control."""
