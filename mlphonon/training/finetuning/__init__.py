"""Fine-tuning: training that begins with a potential that is already good."""
