"""What a finished model gets right and wrong, class by class, and on which pictures: from its bundle's predictions."""
