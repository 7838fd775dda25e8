"""What a device says, what it is and who owns it. Pure: no I/O, no clock, no thread."""
