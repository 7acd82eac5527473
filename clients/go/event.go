package evalrpc

import "time"

// Event is one thing that happened to an experiment; the server stored it before it sent it. Exactly one of Experiment,
// ItemResult and RunEvaluations is not nil.
type Event struct {
	// Sequence is its number, from 1 and without gaps.
	Sequence int
	// Time when it happened.
	Time time.Time
	// Progress of the experiment at that time.
	Progress Progress
	// Experiment, as its state or something else that it shows changed. The first and the last event are such.
	Experiment *Experiment
	// ItemResult of a trial; results come in the order of completion.
	ItemResult *ItemResult
	// RunEvaluations of the run evaluators.
	RunEvaluations []Evaluation
}
