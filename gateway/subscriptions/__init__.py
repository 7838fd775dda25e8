"""Systems of the company's that are told what happens: each reads the timeline of all cases, in order, from where it
stopped. A retry, a restart and a replay send the same events with the same ids."""
