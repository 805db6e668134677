"""How exactly netcomp slows links on this machine: seconds of real transfers beside the ideal."""
