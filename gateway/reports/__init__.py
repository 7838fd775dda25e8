"""What a lead reads at the end of a week: figures over a period, each with how many things it rests on."""
