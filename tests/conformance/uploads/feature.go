// Package uploads shows items from an iterator, more than fit into a request, that are stored as they come; a source that
// fails leaves nothing.
package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

type row struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

var (
	text      = strings.Repeat("x", 1000)
	errBroken = errors.New("the source has failed")
)

func rows(count int, end error) evalrpc.ItemSeq {
	return func(yield func(evalrpc.Item, error) bool) {
		for number := range count {
			if !yield(evalrpc.Item{ID: fmt.Sprintf("row-%d", number), Input: row{number, text}}, nil) {
				return
			}
		}
		if end != nil {
			yield(evalrpc.Item{}, end)
		}
	}
}

func task(_ context.Context, input row) (int, error) { return input.N + 1, nil }

func same(yield func(evalrpc.Item, error) bool) {
	_ = yield(evalrpc.Item{ID: "same", Input: 1}, nil) && yield(evalrpc.Item{ID: "same", Input: 1}, nil)
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	upload := stage.Must(client.Upload(ctx, rows(4000, nil), "rows"))
	total := 0
	outputs := func(name string, data evalrpc.Data, count int) []json.RawMessage {
		result := stage.Run(ctx, client, evalrpc.RunOptions{
			Name: s.Unique(name), Data: data, Task: evalrpc.TypedTask(task), DryRunItems: count,
		})
		found := []json.RawMessage{}
		for _, each := range result.ItemResults {
			found = append(found, json.RawMessage(each.Output))
		}
		total = *result.Experiment.Progress.Total
		return found
	}
	first := outputs("first", upload, 3)
	again := outputs("again", evalrpc.Upload{ID: upload.ID}, 2)
	streamed := outputs("streamed", rows(4000, nil), 3)
	var broken any
	if _, err := client.Upload(ctx, rows(3, errBroken), ""); errors.Is(err, errBroken) {
		broken = errBroken.Error()
	}
	_, twice := client.Upload(ctx, same, "")
	return stage.Object{
		"item_count": upload.ItemCount,
		"first":      first,
		"again":      again,
		"streamed":   streamed,
		"total":      total,
		"broken":     broken,
		"violations": stage.ErrorOf(twice)["violations"],
	}
}
