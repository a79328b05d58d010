"""The inspection station: a service and a page over bundles, where there is no torch."""
