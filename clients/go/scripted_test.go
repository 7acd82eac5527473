package evalrpc_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const scriptedID = "exp_scripted"

// step is an event to send, or a status to end with.
type step struct {
	event *evalrpcv1.ExperimentEvent
	end   error
}

// scripted is a server that does as it is told: each stream follows the next script.
type scripted struct {
	evalrpcv1.UnimplementedExperimentServiceServer
	address string

	mutex   sync.Mutex
	scripts [][]step
	runs    []*evalrpcv1.RunExperimentRequest
	starts  []*evalrpcv1.StartExperimentRequest
	watches []*evalrpcv1.WatchExperimentRequest
	callers []metadata.MD
}

func script(t *testing.T, scripts ...[]step) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made := &scripted{address: listener.Addr().String(), scripts: scripts}
	server := grpc.NewServer()
	evalrpcv1.RegisterExperimentServiceServer(server, made)
	go func() { _ = server.Serve(listener) }() // ends with Stop
	t.Cleanup(server.Stop)
	return made
}

func (s *scripted) next(ctx context.Context, note func()) []step {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	caller, _ := metadata.FromIncomingContext(ctx)
	s.callers = append(s.callers, caller)
	note()
	if len(s.scripts) == 0 {
		return []step{refuse(codes.FailedPrecondition, "SCRIPT_ENDED", 0)}
	}
	steps := s.scripts[0]
	s.scripts = s.scripts[1:]
	return steps
}

func follow(steps []step, send func(*evalrpcv1.ExperimentEvent) error) error {
	for _, each := range steps {
		if each.event == nil {
			return each.end
		}
		if err := send(each.event); err != nil {
			return err
		}
	}
	return nil
}

func (s *scripted) RunExperiment(
	request *evalrpcv1.RunExperimentRequest, stream grpc.ServerStreamingServer[evalrpcv1.RunExperimentResponse],
) error {
	steps := s.next(stream.Context(), func() { s.runs = append(s.runs, request) })
	return follow(steps, func(event *evalrpcv1.ExperimentEvent) error {
		return stream.Send(&evalrpcv1.RunExperimentResponse{Event: event})
	})
}

func (s *scripted) WatchExperiment(
	request *evalrpcv1.WatchExperimentRequest, stream grpc.ServerStreamingServer[evalrpcv1.WatchExperimentResponse],
) error {
	steps := s.next(stream.Context(), func() { s.watches = append(s.watches, request) })
	return follow(steps, func(event *evalrpcv1.ExperimentEvent) error {
		return stream.Send(&evalrpcv1.WatchExperimentResponse{Event: event})
	})
}

func (s *scripted) StartExperiment(
	ctx context.Context, request *evalrpcv1.StartExperimentRequest,
) (*evalrpcv1.StartExperimentResponse, error) {
	steps := s.next(ctx, func() { s.starts = append(s.starts, request) })
	if steps[0].end != nil {
		return nil, steps[0].end
	}
	return &evalrpcv1.StartExperimentResponse{Experiment: steps[0].event.GetExperiment()}, nil
}

// afters returns the sequences behind which was resumed.
func (s *scripted) afters() []int32 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var found []int32
	for _, request := range s.watches {
		found = append(found, request.GetAfterSequence())
	}
	return found
}

func state(sequence int32, state evalrpcv1.ExperimentState) step {
	experiment := &evalrpcv1.Experiment{Id: scriptedID, State: state}
	return step{event: &evalrpcv1.ExperimentEvent{
		Sequence: sequence, Kind: &evalrpcv1.ExperimentEvent_Experiment{Experiment: experiment},
	}}
}

func running(sequence int32) step {
	return state(sequence, evalrpcv1.ExperimentState_EXPERIMENT_STATE_RUNNING)
}

func succeeded(sequence int32) step {
	return state(sequence, evalrpcv1.ExperimentState_EXPERIMENT_STATE_SUCCEEDED)
}

func result(sequence, index int32) step {
	itemResult := &evalrpcv1.ItemResult{Item: &evalrpcv1.ExperimentItem{Index: index}, Trial: 1}
	return step{event: &evalrpcv1.ExperimentEvent{
		Sequence: sequence, Kind: &evalrpcv1.ExperimentEvent_ItemResult{ItemResult: itemResult},
	}}
}

func ofUnknownKind(sequence int32) step {
	return step{event: &evalrpcv1.ExperimentEvent{Sequence: sequence}}
}

func checkpoint(sequence int32, draining bool) step {
	return step{event: &evalrpcv1.ExperimentEvent{
		Sequence: sequence,
		Kind:     &evalrpcv1.ExperimentEvent_Checkpoint{Checkpoint: &evalrpcv1.Checkpoint{Draining: draining}},
	}}
}

func cut(code codes.Code) step { return step{end: status.Error(code, "cut on the way")} }

func refuse(code codes.Code, reason string, retryAfter time.Duration) step {
	refusal := status.New(code, strings.ToLower(reason))
	refusal, err := refusal.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "evalrpc.dev"})
	if err == nil && retryAfter > 0 {
		refusal, err = refusal.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	}
	if err != nil {
		panic(err)
	}
	return step{end: refusal.Err()}
}
