"""What happens to a painted picture: safety checkers, PNG with its parameters inside."""
