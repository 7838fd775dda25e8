"""Mail, written and read: headers and bodies, who sent it, what in it is new, what is a bounce."""
