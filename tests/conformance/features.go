package main

import (
	"context"

	"github.com/evalrpc/evalrpc/tests/conformance/async_functions"
	"github.com/evalrpc/evalrpc/tests/conformance/bearer_token"
	"github.com/evalrpc/evalrpc/tests/conformance/builtin_evaluators"
	"github.com/evalrpc/evalrpc/tests/conformance/cancel"
	"github.com/evalrpc/evalrpc/tests/conformance/comparisons"
	"github.com/evalrpc/evalrpc/tests/conformance/composite_evaluator"
	"github.com/evalrpc/evalrpc/tests/conformance/create_scores"
	"github.com/evalrpc/evalrpc/tests/conformance/dataset"
	"github.com/evalrpc/evalrpc/tests/conformance/dataset_stream"
	"github.com/evalrpc/evalrpc/tests/conformance/detached"
	"github.com/evalrpc/evalrpc/tests/conformance/error_reasons"
	"github.com/evalrpc/evalrpc/tests/conformance/evaluators"
	"github.com/evalrpc/evalrpc/tests/conformance/events"
	"github.com/evalrpc/evalrpc/tests/conformance/exact_integers"
	"github.com/evalrpc/evalrpc/tests/conformance/judges"
	"github.com/evalrpc/evalrpc/tests/conformance/large_documents"
	"github.com/evalrpc/evalrpc/tests/conformance/link_trace"
	"github.com/evalrpc/evalrpc/tests/conformance/local_data"
	"github.com/evalrpc/evalrpc/tests/conformance/null_outputs"
	"github.com/evalrpc/evalrpc/tests/conformance/registered_evaluators"
	"github.com/evalrpc/evalrpc/tests/conformance/repetitions"
	"github.com/evalrpc/evalrpc/tests/conformance/resume"
	"github.com/evalrpc/evalrpc/tests/conformance/run_evaluators"
	"github.com/evalrpc/evalrpc/tests/conformance/second_looks"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
	"github.com/evalrpc/evalrpc/tests/conformance/task_details"
	"github.com/evalrpc/evalrpc/tests/conformance/tls"
	"github.com/evalrpc/evalrpc/tests/conformance/trace_context"
	"github.com/evalrpc/evalrpc/tests/conformance/unicode"
	"github.com/evalrpc/evalrpc/tests/conformance/unknown_events"
	"github.com/evalrpc/evalrpc/tests/conformance/uploads"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_cancel"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_death"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_drain"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_failure"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_reconnect"
	"github.com/evalrpc/evalrpc/tests/conformance/worker_success"
)

// features by the names of their folders.
var features = map[string]func(context.Context, *stage.Stage) any{
	"async_functions":       async_functions.Run,
	"bearer_token":          bearer_token.Run,
	"builtin_evaluators":    builtin_evaluators.Run,
	"cancel":                cancel.Run,
	"comparisons":           comparisons.Run,
	"composite_evaluator":   composite_evaluator.Run,
	"create_scores":         create_scores.Run,
	"dataset":               dataset.Run,
	"dataset_stream":        dataset_stream.Run,
	"detached":              detached.Run,
	"error_reasons":         error_reasons.Run,
	"evaluators":            evaluators.Run,
	"events":                events.Run,
	"exact_integers":        exact_integers.Run,
	"judges":                judges.Run,
	"large_documents":       large_documents.Run,
	"link_trace":            link_trace.Run,
	"local_data":            local_data.Run,
	"null_outputs":          null_outputs.Run,
	"registered_evaluators": registered_evaluators.Run,
	"repetitions":           repetitions.Run,
	"resume":                resume.Run,
	"run_evaluators":        run_evaluators.Run,
	"second_looks":          second_looks.Run,
	"task_details":          task_details.Run,
	"tls":                   tls.Run,
	"trace_context":         trace_context.Run,
	"unicode":               unicode.Run,
	"unknown_events":        unknown_events.Run,
	"uploads":               uploads.Run,
	"worker_cancel":         worker_cancel.Run,
	"worker_death":          worker_death.Run,
	"worker_drain":          worker_drain.Run,
	"worker_failure":        worker_failure.Run,
	"worker_reconnect":      worker_reconnect.Run,
	"worker_success":        worker_success.Run,
}
