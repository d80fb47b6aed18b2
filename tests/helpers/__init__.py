"""What several test modules share: inputs, tiny models, studies, services, and put-in faults."""
