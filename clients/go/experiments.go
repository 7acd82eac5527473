package evalrpc

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Run starts an experiment and returns once the server has accepted it. Items above 2 MiB in all are uploaded first. The
// stream of events resumes by itself after a cut, for as long as ctx lasts; the end of ctx does not end the experiment,
// which [Client.Cancel] does. Functions among the options are called in this process while the run is open.
func (c *Client) Run(ctx context.Context, options RunOptions) (*Run, error) {
	made, err := newPlan(options)
	if err != nil {
		return nil, err
	}
	if err := c.setData(ctx, made.spec, options.Data); err != nil {
		return nil, err
	}
	run := newRun(ctx, c, newResumption("", 0, options.Patience), !options.DiscardResults)
	run.open = func(ctx context.Context) (eventStream, error) {
		if run.resumption.experimentID != "" {
			return run.watch(ctx)
		}
		stream, err := c.experiments.RunExperiment(ctx, &evalrpcv1.RunExperimentRequest{
			Experiment:         made.spec,
			RequestId:          made.requestID,
			JsonEncoding:       evalrpcv1.JsonEncoding_JSON_ENCODING_TEXT,
			CancelOnDisconnect: options.CancelOnDisconnect,
		})
		return adapted[*evalrpcv1.RunExperimentResponse]{stream}, err
	}
	if err := run.host(made); err != nil {
		return nil, err
	}
	first, err := run.next(ctx)
	if err != nil {
		run.Close()
		return nil, err
	}
	run.first = first
	return run, nil
}

// RunExperiment runs an experiment to its end and returns what became of it: [Client.Run], and [Run.Result] of it. The end
// of ctx ends the waiting and the functions among the options; the experiment runs on.
func (c *Client) RunExperiment(ctx context.Context, options RunOptions) (*ExperimentResult, error) {
	run, err := c.Run(ctx, options)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	return run.Result(ctx)
}

// Start starts an experiment and returns once it is stored. It does not follow, and takes no functions: those are for
// [Client.Run], or for a [Worker].
func (c *Client) Start(ctx context.Context, options RunOptions) (*Experiment, error) {
	made, err := newPlan(options)
	if err != nil {
		return nil, err
	}
	if len(made.functions) > 0 {
		return nil, invalid(Violation{"experiment", "has functions of this process: use Run, or host them with a Worker " +
			"and name them by WorkerTask and WorkerEvaluator"})
	}
	if err := c.setData(ctx, made.spec, options.Data); err != nil {
		return nil, err
	}
	request := &evalrpcv1.StartExperimentRequest{Experiment: made.spec, RequestId: made.requestID}
	response, err := call(ctx, c, c.experiments.StartExperiment, request)
	if err != nil {
		return nil, err
	}
	return experimentFromMessage(response.GetExperiment()), nil
}

// WatchOptions say how to follow an experiment. Zero values stand for the defaults.
type WatchOptions struct {
	// AfterSequence is the last event already seen. Default: none.
	AfterSequence int
	// Patience is for how long, without a message, to try to resume. Default: 5 minutes; negative: not at all.
	Patience time.Duration
	// DiscardResults keeps no results while events are read: [Run.Result] then reads them from the server again.
	DiscardResults bool
}

// Watch returns a run to follow an experiment by. Nothing is sent before its events are asked for.
func (c *Client) Watch(ctx context.Context, experimentID string, options WatchOptions) *Run {
	resumption := newResumption(experimentID, options.AfterSequence, options.Patience)
	return newRun(ctx, c, resumption, !options.DiscardResults)
}

// Result returns what became of an experiment, as far as it is.
func (c *Client) Result(ctx context.Context, experimentID string) (*ExperimentResult, error) {
	experiment, err := c.Get(ctx, experimentID)
	if err != nil {
		return nil, err
	}
	var results []*ItemResult
	for result, err := range c.ListResults(ctx, experimentID, ListResultsOptions{PageSize: 1000}) {
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return newExperimentResult(experiment, results), nil
}

// Get returns an experiment as it is now.
func (c *Client) Get(ctx context.Context, experimentID string) (*Experiment, error) {
	response, err := call(ctx, c, c.experiments.GetExperiment, &evalrpcv1.GetExperimentRequest{Id: experimentID})
	if err != nil {
		return nil, err
	}
	return experimentFromMessage(response.GetExperiment()), nil
}

// Cancel asks an experiment to end; items in flight are cut off. It has no effect on one that has ended.
func (c *Client) Cancel(ctx context.Context, experimentID string) (*Experiment, error) {
	response, err := call(ctx, c, c.experiments.CancelExperiment, &evalrpcv1.CancelExperimentRequest{Id: experimentID})
	if err != nil {
		return nil, err
	}
	return experimentFromMessage(response.GetExperiment()), nil
}

// ListOptions say which experiments to list.
type ListOptions struct {
	// Name of the experiments. Default: any.
	Name string
	// States of the experiments. Default: any.
	States []ExperimentState
	// PageSize is how many to ask for at once.
	PageSize int
}

// List yields experiments, the latest first, page by page.
func (c *Client) List(ctx context.Context, options ListOptions) iter.Seq2[*Experiment, error] {
	request := &evalrpcv1.ListExperimentsRequest{Name: options.Name, PageSize: clamped(options.PageSize)}
	for _, state := range options.States {
		number, known := evalrpcv1.ExperimentState_value[statePrefix+string(state)]
		if !known {
			return failing[*Experiment](invalid(Violation{"states", "there is no state " + string(state)}))
		}
		request.States = append(request.States, evalrpcv1.ExperimentState(number))
	}
	return pages(func(token string) ([]*Experiment, string, error) {
		request.PageToken = token
		response, err := call(ctx, c, c.experiments.ListExperiments, request)
		return mapped(response.GetExperiments(), experimentFromMessage), response.GetNextPageToken(), err
	})
}

// ListResultsOptions say which results to list.
type ListResultsOptions struct {
	// ByCompletion lists the results as they were completed. Default: in the order of the items.
	ByCompletion bool
	// FailedOnly lists only results whose task failed.
	FailedOnly bool
	// PageSize is how many to ask for at once.
	PageSize int
}

// ListResults yields the results that an experiment has so far, page by page.
func (c *Client) ListResults(
	ctx context.Context, experimentID string, options ListResultsOptions,
) iter.Seq2[*ItemResult, error] {
	request := &evalrpcv1.ListItemResultsRequest{
		Id:           experimentID,
		PageSize:     clamped(options.PageSize),
		FailedOnly:   options.FailedOnly,
		JsonEncoding: evalrpcv1.JsonEncoding_JSON_ENCODING_TEXT,
	}
	if options.ByCompletion {
		request.Order = evalrpcv1.ItemResultOrder_ITEM_RESULT_ORDER_COMPLETION
	}
	return pages(func(token string) ([]*ItemResult, string, error) {
		request.PageToken = token
		response, err := call(ctx, c, c.experiments.ListItemResults, request)
		return mapped(response.GetItemResults(), itemResultFromMessage), response.GetNextPageToken(), err
	})
}

// setData has a spec hold its data, or refer to them.
func (c *Client) setData(ctx context.Context, spec *evalrpcv1.ExperimentSpec, data Data) error {
	var items iter.Seq2[Item, error]
	switch data := data.(type) {
	case nil:
		return c.uploadLargeItems(ctx, spec)
	case Upload:
		spec.Data = &evalrpcv1.ExperimentSpec_Upload{Upload: data.ID}
		return nil
	case LangfuseDataset:
		message, err := data.toMessage()
		spec.Data = &evalrpcv1.ExperimentSpec_LangfuseDataset{LangfuseDataset: message}
		return err
	case Items:
		items = data.all()
	case ItemSeq:
		items = iter.Seq2[Item, error](data)
	}
	list, rest, stop, err := inlineOrRest(itemMessages(items))
	if err != nil {
		return err
	}
	if list != nil {
		spec.Data = &evalrpcv1.ExperimentSpec_Items{Items: list}
		return nil
	}
	defer stop()
	return c.setUpload(ctx, spec, rest)
}

// uploadLargeItems uploads the items of a whole spec that would be too large to send with them.
func (c *Client) uploadLargeItems(ctx context.Context, spec *evalrpcv1.ExperimentSpec) error {
	list := spec.GetItems()
	if proto.Size(list) <= maxInlineBytes {
		return nil
	}
	return c.setUpload(ctx, spec, func(yield func(*evalrpcv1.Item, error) bool) {
		for _, item := range list.GetItems() {
			if !yield(item, nil) {
				return
			}
		}
	})
}

func (c *Client) setUpload(
	ctx context.Context, spec *evalrpcv1.ExperimentSpec, items iter.Seq2[*evalrpcv1.Item, error],
) error {
	upload, err := c.upload(ctx, items, "")
	spec.Data = &evalrpcv1.ExperimentSpec_Upload{Upload: upload.ID}
	return err
}

// pages yields what fetch returns for each page token, from the empty one on, until there is no next one.
func pages[T any](fetch func(token string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		token := ""
		for {
			page, next, err := fetch(token)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, each := range page {
				if !yield(each, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}

// streamed yields what a call's answers carry; open is called for each iteration, and its context ends with it.
func streamed[M, T any](
	ctx context.Context, c *Client, open func(context.Context) (interface{ Recv() (M, error) }, error), read func(M) T,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := open(ctx)
		for err == nil {
			var message M
			if message, err = stream.Recv(); err == nil && !yield(read(message), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			var none T
			yield(none, errorFromCall(err, nil, c.address))
		}
	}
}

func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

func mapped[A, B any](from []A, convert func(A) B) []B {
	to := make([]B, len(from))
	for i, each := range from {
		to[i] = convert(each)
	}
	return to
}
