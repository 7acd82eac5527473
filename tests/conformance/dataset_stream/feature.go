// Package dataset_stream shows a dataset's items as they arrive, a selection of them, and one that is not there.
package dataset_stream

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	dataset := stage.Must(client.GetDataset(ctx, "numbers", ""))
	numbers := evalrpc.LangfuseDataset{Name: "numbers"}
	items := map[string]*evalrpc.DatasetItem{}
	for _, each := range stage.All(client.ListDatasetItems(ctx, numbers, "")) {
		items[each.ID] = each
	}
	left := false
	for each, err := range client.ListDatasetItems(ctx, numbers, "") {
		left = err == nil && items[each.ID] != nil
		break
	}
	asia := evalrpc.LangfuseDataset{Name: "capitals", MetadataEquals: map[string]any{"continent": "Asia"}}
	selected := []string{}
	for _, each := range stage.All(client.ListDatasetItems(ctx, asia, "")) {
		selected = append(selected, each.ID)
	}
	var missing error
	for _, err := range client.ListDatasetItems(ctx, evalrpc.LangfuseDataset{Name: "none"}, "") {
		missing = err
	}
	return stage.Object{
		"name":     dataset.Name,
		"count":    len(items),
		"input":    string(items["n-107"].Input),
		"selected": selected,
		"left":     left,
		"missing":  stage.ErrorOf(missing)["reason"],
	}
}
