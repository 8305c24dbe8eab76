"""Command line, runs and the web page: the only place that sees both sentences and images."""

import time

STARTED = time.perf_counter()  # of the process, but for the interpreter's own start: the page says how long it took to answer
