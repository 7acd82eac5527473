package evalrpc

import (
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// maxInlineBytes is up to what size items travel in the request itself, which must stay below 4 MiB as a whole.
const maxInlineBytes = 2 * 1024 * 1024

// Item is one item of an experiment's data, as the caller gives it. Its documents are anything that [encoding/json] can
// write; a [JSON] or a [json.RawMessage] is sent byte for byte.
type Item struct {
	// ID identifies the item within its data. Default: derived from the input.
	ID string
	// Input for the task; nil is JSON null.
	Input any
	// ExpectedOutput; nil if there is none. JSON null is JSON("null").
	ExpectedOutput any
	// Metadata, an object; nil if there is none.
	Metadata any
}

// Data is where an experiment's items come from: [Items], an [ItemSeq], an [Upload], or a [LangfuseDataset].
type Data interface{ isData() }

type (
	// Items are data in memory. What is too large for a request is uploaded first.
	Items []Item
	// ItemSeq is data of any length. It is read once, as far as there is room for its items; the first error ends it.
	ItemSeq iter.Seq2[Item, error]
)

// Upload is data stored on the server, for any number of experiments. To refer to one, its ID is enough.
type Upload struct {
	// ID of the upload.
	ID string
	// ItemCount tells how many items it has.
	ItemCount int
}

// LangfuseDataset is a dataset in Langfuse, and which of its items; the server reads it. The selection applies in the
// order of the fields.
type LangfuseDataset struct {
	// Name of the dataset.
	Name string
	// Version takes the dataset as it was at this time; zero for now.
	Version time.Time
	// ItemIDs takes only these items.
	ItemIDs []string
	// MetadataEquals takes only items whose metadata has these members with these values.
	MetadataEquals map[string]any
	// ShuffleSeed puts them into a random order, the same for the same seed; nil for Langfuse's own order.
	ShuffleSeed *int
	// SampleSize takes a random sample of so many; 0 for all.
	SampleSize int
	// SampleSeed: the same seed gives the same sample.
	SampleSeed int
	// Limit takes at most so many; 0 for all.
	Limit int
}

func (Items) isData()           {}
func (ItemSeq) isData()         {}
func (Upload) isData()          {}
func (LangfuseDataset) isData() {}

func (d LangfuseDataset) toMessage() (*evalrpcv1.LangfuseDataset, error) {
	message := &evalrpcv1.LangfuseDataset{Name: d.Name, ItemIds: d.ItemIDs, Limit: clamped(d.Limit)}
	if !d.Version.IsZero() {
		message.Version = timestamppb.New(d.Version)
	}
	if d.MetadataEquals != nil {
		equals, err := structpb.NewStruct(d.MetadataEquals)
		if err != nil {
			return nil, invalid(Violation{"experiment.langfuse_dataset.metadata_equals", err.Error()})
		}
		message.MetadataEquals = equals
	}
	if d.ShuffleSeed != nil {
		message.Shuffle = &evalrpcv1.DatasetShuffle{Seed: clamped(*d.ShuffleSeed)}
	}
	if d.SampleSize != 0 {
		message.Sample = &evalrpcv1.DatasetSample{Size: clamped(d.SampleSize), Seed: clamped(d.SampleSeed)}
	}
	return message, nil
}

// all yields the items one at a time.
func (d Items) all() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, item := range d {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// itemMessages yields items as the contract's messages; the first error ends them.
func itemMessages(items iter.Seq2[Item, error]) iter.Seq2[*evalrpcv1.Item, error] {
	return func(yield func(*evalrpcv1.Item, error) bool) {
		index := 0
		for item, err := range items {
			var message *evalrpcv1.Item
			if err == nil {
				message, err = item.toMessage(index)
			}
			if !yield(message, err) || err != nil {
				return
			}
			index++
		}
	}
}

func (i Item) toMessage(index int) (*evalrpcv1.Item, error) {
	message := &evalrpcv1.Item{Id: i.ID}
	for _, document := range []struct {
		name   string
		value  any
		always bool
		target **evalrpcv1.Json
	}{
		{"input", i.Input, true, &message.Input},
		{"expected_output", i.ExpectedOutput, false, &message.ExpectedOutput},
		{"metadata", i.Metadata, false, &message.Metadata},
	} {
		if document.value == nil && !document.always || document.value == JSON("") {
			continue
		}
		text, err := NewJSON(document.value)
		if err != nil {
			return nil, invalid(Violation{fmt.Sprintf("data[%d].%s", index, document.name), err.Error()})
		}
		*document.target = text.toMessage()
	}
	return message, nil
}

// inlineOrRest returns the items as a list if they fit into a request, or else all of them, to be uploaded; stop ends them.
func inlineOrRest(items iter.Seq2[*evalrpcv1.Item, error]) (
	*evalrpcv1.ItemList, iter.Seq2[*evalrpcv1.Item, error], func(), error,
) {
	next, stop := iter.Pull2(items)
	list, size := &evalrpcv1.ItemList{}, 0
	for {
		message, err, ok := next()
		if err != nil {
			stop()
			return nil, nil, nil, err
		}
		if !ok {
			stop()
			return list, nil, nil, nil
		}
		list.Items = append(list.Items, message)
		size += proto.Size(message) + 8
		if size > maxInlineBytes {
			break
		}
	}
	rest := func(yield func(*evalrpcv1.Item, error) bool) {
		for _, message := range list.Items {
			if !yield(message, nil) {
				return
			}
		}
		for {
			message, err, ok := next()
			if !ok || !yield(message, err) {
				return
			}
		}
	}
	return nil, rest, stop, nil
}
