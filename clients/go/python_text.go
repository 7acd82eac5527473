package evalrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// pythonText returns a document as Python's str() shows what it says, which is how reports show documents in every
// language: a string as itself, {'key': None} for an object.
func pythonText(document JSON) string {
	if document.Absent() {
		return "None"
	}
	decoder := json.NewDecoder(strings.NewReader(string(document)))
	decoder.UseNumber()
	token, err := decoder.Token()
	if err != nil {
		return string(document)
	}
	if text, ok := token.(string); ok {
		return text
	}
	var out strings.Builder
	if err := pythonValue(&out, decoder, token); err != nil && !errors.Is(err, io.EOF) {
		return string(document)
	}
	return out.String()
}

func pythonValue(out *strings.Builder, decoder *json.Decoder, token json.Token) error {
	switch token := token.(type) {
	case json.Delim:
		return pythonContainer(out, decoder, token)
	case nil:
		out.WriteString("None")
	case bool:
		out.WriteString(map[bool]string{true: "True", false: "False"}[token])
	case json.Number:
		out.WriteString(pythonNumber(token.String()))
	case string:
		out.WriteString(pythonQuoted(token))
	}
	return nil
}

func pythonContainer(out *strings.Builder, decoder *json.Decoder, open json.Delim) error {
	closing := map[json.Delim]string{'{': "}", '[': "]"}[open]
	out.WriteString(open.String())
	for place := 0; decoder.More(); place++ {
		if place > 0 && (open == '[' || place%2 == 0) {
			out.WriteString(", ")
		} else if place > 0 {
			out.WriteString(": ")
		}
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if err := pythonValue(out, decoder, token); err != nil {
			return err
		}
	}
	out.WriteString(closing)
	_, err := decoder.Token()
	return err
}

// pythonNumber keeps whole numbers as they are, and writes others as Python's repr() writes floats.
func pythonNumber(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsInf(value, 1):
		return "inf"
	case math.IsInf(value, -1):
		return "-inf"
	case err != nil:
		return text
	}
	if magnitude := math.Abs(value); magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16) {
		return strconv.FormatFloat(value, 'e', -1, 64)
	}
	plain := strconv.FormatFloat(value, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}

// pythonQuoted writes a string as Python's repr() does: in single quotes unless only double quotes avoid escaping.
func pythonQuoted(text string) string {
	quote := '\''
	if strings.ContainsRune(text, '\'') && !strings.ContainsRune(text, '"') {
		quote = '"'
	}
	var out strings.Builder
	out.WriteRune(quote)
	for _, each := range text {
		switch {
		case each == quote || each == '\\':
			out.WriteRune('\\')
			out.WriteRune(each)
		case each == '\n':
			out.WriteString(`\n`)
		case each == '\r':
			out.WriteString(`\r`)
		case each == '\t':
			out.WriteString(`\t`)
		case unicode.IsPrint(each):
			out.WriteRune(each)
		case each < 0x100:
			fmt.Fprintf(&out, `\x%02x`, each)
		case each < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, each)
		default:
			fmt.Fprintf(&out, `\U%08x`, each)
		}
	}
	out.WriteRune(quote)
	return out.String()
}
