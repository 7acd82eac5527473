package evalrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// JSON is one JSON document as text: an input, an output, an expected output, or metadata. It is exact to the last digit,
// and parsed only where somebody looks. The zero value is an absent document, which is not JSON null.
type JSON string

// NewJSON returns a Go value as a document. A [JSON] is taken as it is, once its syntax is checked; of anything else,
// [encoding/json] makes the text, in its own script and without escaping HTML.
func NewJSON(value any) (JSON, error) {
	switch known := value.(type) {
	case JSON:
		return checked(string(known))
	case json.RawMessage:
		return checked(string(known))
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("cannot be written as JSON: %w", err)
	}
	return JSON(strings.TrimSuffix(text.String(), "\n")), nil
}

func checked(text string) (JSON, error) {
	if !json.Valid([]byte(text)) {
		return "", errors.New("is not valid JSON")
	}
	return JSON(text), nil
}

// Absent tells whether there is no document at all.
func (j JSON) Absent() bool { return j == "" }

// Null tells whether the document is JSON null.
func (j JSON) Null() bool { return strings.TrimSpace(string(j)) == "null" }

// Decode parses the document into what target points to, as [json.Unmarshal] does, except that numbers become
// [json.Number] where the target does not name a type, and so keep their digits. Of an absent document nothing is stored.
func (j JSON) Decode(target any) error {
	if j.Absent() {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(j)))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the document")
	}
	return nil
}

// Value returns what the document says, with numbers as [json.Number]; nil for an absent one, as for JSON null, and for
// text that is not valid JSON, which a server never sends.
func (j JSON) Value() any {
	var value any
	if j.Decode(&value) != nil {
		return nil
	}
	return value
}

// String returns the content of a document that is a JSON string, and the text of any other.
func (j JSON) String() string {
	if strings.HasPrefix(strings.TrimSpace(string(j)), `"`) {
		var content string
		if j.Decode(&content) == nil {
			return content
		}
	}
	return string(j)
}

// MarshalJSON returns the document itself, null if it is absent.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j.Absent() {
		return []byte("null"), nil
	}
	return []byte(j), nil
}

// UnmarshalJSON keeps the document's text.
func (j *JSON) UnmarshalJSON(text []byte) error {
	*j = JSON(text)
	return nil
}

// toMessage returns nil for an absent document.
func (j JSON) toMessage() *evalrpcv1.Json {
	if j.Absent() {
		return nil
	}
	return &evalrpcv1.Json{Kind: &evalrpcv1.Json_Text{Text: string(j)}}
}

func jsonFromMessage(message *evalrpcv1.Json) JSON {
	switch kind := message.GetKind().(type) {
	case *evalrpcv1.Json_Text:
		return JSON(kind.Text)
	case *evalrpcv1.Json_Value:
		text, err := protojson.Marshal(kind.Value)
		if err != nil {
			return "" // NaN or infinity, which the server refuses on the way in
		}
		return JSON(text)
	}
	return ""
}
