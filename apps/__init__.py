"""Command line, runs and the web page: the only place that sees both sentences and images."""
