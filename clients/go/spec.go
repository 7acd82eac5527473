package evalrpc

import (
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// plan is an experiment that is ready to be started, apart from its data.
type plan struct {
	spec      *evalrpcv1.ExperimentSpec
	requestID string
	functions []Function // to be hosted here while it runs
}

// newPlan lays the options over their spec.
func newPlan(options RunOptions) (*plan, error) {
	spec := &evalrpcv1.ExperimentSpec{}
	if options.Spec != nil {
		spec = proto.Clone(options.Spec).(*evalrpcv1.ExperimentSpec)
	}
	made := &plan{spec: spec, requestID: options.RequestID}
	if made.requestID == "" {
		made.requestID = newUUID()
	}
	layText(&spec.Name, options.Name)
	layText(&spec.RunName, options.RunName)
	layText(&spec.Description, options.Description)
	layText(&spec.LangfuseProject, options.LangfuseProject)
	layText(&spec.ClusterBy, options.ClusterBy)
	layCount(&spec.MaxConcurrency, options.MaxConcurrency)
	layCount(&spec.Repetitions, options.Repetitions)
	layCount(&spec.DryRunItems, options.DryRunItems)
	layDuration(&spec.TaskTimeout, options.TaskTimeout)
	layDuration(&spec.EvaluatorTimeout, options.EvaluatorTimeout)
	layDuration(&spec.LangfuseSyncTimeout, options.LangfuseSyncTimeout)
	layDuration(&spec.WorkerWait, options.WorkerWait)
	if options.LangfuseSync != 0 {
		spec.LangfuseSync = options.LangfuseSync
	}
	if options.Retry != (RetryPolicy{}) {
		spec.Retry = options.Retry.toMessage()
	}
	if options.Trace != nil {
		spec.Trace = options.Trace
	}
	if options.TrialReducers != nil {
		spec.TrialReducers = options.TrialReducers
	}
	if options.Gates != nil {
		spec.Gates = options.Gates
	}
	if options.Budget != nil {
		spec.Budget = options.Budget
	}
	if options.Metadata != nil {
		metadata, err := structpb.NewStruct(options.Metadata)
		if err != nil {
			return nil, invalid(Violation{"experiment.metadata", err.Error()})
		}
		spec.Metadata = metadata
	}
	return made, made.layFunctions(options)
}

// layFunctions lays the task and the evaluators over the spec.
func (p *plan) layFunctions(options RunOptions) error {
	if options.Task != nil {
		p.spec.Task = taskMessage(options.Task, p.host)
	}
	lists := []struct {
		path       string
		evaluators []Evaluator
		target     *[]*evalrpcv1.EvaluatorSpec
		run        bool
	}{
		{"experiment.evaluators", options.Evaluators, &p.spec.Evaluators, false},
		{"experiment.run_evaluators", options.RunEvaluators, &p.spec.RunEvaluators, true},
	}
	for _, list := range lists {
		if list.evaluators == nil {
			continue
		}
		*list.target = nil
		for i, evaluator := range list.evaluators {
			message, err := p.evaluator(evaluator, fmt.Sprintf("%s[%d]", list.path, i), list.run)
			if err != nil {
				return err
			}
			*list.target = append(*list.target, message)
		}
	}
	if options.CompositeEvaluator.none() {
		return nil
	}
	message, err := p.evaluator(options.CompositeEvaluator, "experiment.composite_evaluator", false)
	p.spec.CompositeEvaluator = message
	return err
}

func (p *plan) evaluator(evaluator Evaluator, path string, run bool) (*evalrpcv1.EvaluatorSpec, error) {
	if evaluator.local() && run != (evaluator.run != nil) {
		kind := map[bool]string{false: "EvaluatorFunc", true: "RunEvaluatorFunc"}[run]
		return nil, invalid(Violation{path, "must be made with " + kind})
	}
	return evaluator.hosted(path, p.host)
}

func layText(target *string, value string) {
	if value != "" {
		*target = value
	}
}

func layCount(target **int32, value int) {
	if value != 0 {
		*target = int32Of(value)
	}
}

func layDuration(target **durationpb.Duration, value time.Duration) {
	if value != 0 {
		*target = durationpb.New(value)
	}
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, as of Go 1.24
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
