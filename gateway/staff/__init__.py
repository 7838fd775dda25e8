"""Who of the staff does what, by when: working hours, service levels, teams, rota and alerts."""
