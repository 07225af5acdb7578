"""The experiment of matched runs: optimizer by kind of field by span by scale by seed, trained and measured."""
