"""What must survive: jobs, credits and pictures, in one SQLite file and a folder of pictures."""
