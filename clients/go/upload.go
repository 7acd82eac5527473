package evalrpc

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// uploadChunkBytes closes a message: with one more item of three 1 MiB documents it would still be sent.
const uploadChunkBytes = 1024 * 1024

// Upload stores items on the server, of any number, for any number of experiments. The items are read as fast as the
// server stores them. An item that is wrong, or an error of the items themselves, ends the upload, and nothing is stored.
func (c *Client) Upload(ctx context.Context, items ItemSeq, description string) (Upload, error) {
	return c.upload(ctx, itemMessages(iter.Seq2[Item, error](items)), description)
}

func (c *Client) upload(ctx context.Context, items iter.Seq2[*evalrpcv1.Item, error], description string) (Upload, error) {
	ctx, cancel := context.WithCancel(ctx) // ends a stream that an error leaves open, before it could look complete
	defer cancel()
	stream, err := c.datasets.UploadItems(ctx)
	if err != nil {
		return Upload{}, errorFromCall(err, nil, c.address)
	}
	send := func(message *evalrpcv1.UploadItemsRequest) error {
		if err := stream.Send(message); !errors.Is(err, io.EOF) {
			return err
		}
		_, err := stream.CloseAndRecv() // the stream has ended: its status says why
		return err
	}
	err = send(&evalrpcv1.UploadItemsRequest{
		Part: &evalrpcv1.UploadItemsRequest_Header{Header: &evalrpcv1.UploadHeader{Description: description}},
	})
	if err == nil {
		err = inChunks(items, func(chunk []*evalrpcv1.Item) error {
			list := &evalrpcv1.ItemList{Items: chunk}
			return send(&evalrpcv1.UploadItemsRequest{Part: &evalrpcv1.UploadItemsRequest_Items{Items: list}})
		})
	}
	if err != nil {
		var wrong *itemError
		if errors.As(err, &wrong) {
			return Upload{}, wrong.err
		}
		return Upload{}, errorFromCall(err, stream.Trailer(), c.address)
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return Upload{}, errorFromCall(err, stream.Trailer(), c.address)
	}
	return Upload{response.GetUploadId(), int(response.GetItemCount())}, nil
}

// itemError is an error of the items, apart from those of the call.
type itemError struct{ err error }

func (e *itemError) Error() string { return e.err.Error() }

// inChunks gathers items until they make a message.
func inChunks(items iter.Seq2[*evalrpcv1.Item, error], send func([]*evalrpcv1.Item) error) error {
	var chunk []*evalrpcv1.Item
	size := 0
	for item, err := range items {
		if err != nil {
			return &itemError{err}
		}
		bytes := proto.Size(item) + 8
		if len(chunk) > 0 && size+bytes > uploadChunkBytes {
			if err := send(chunk); err != nil {
				return err
			}
			chunk, size = nil, 0
		}
		chunk = append(chunk, item)
		size += bytes
	}
	if len(chunk) == 0 {
		return nil
	}
	return send(chunk)
}
