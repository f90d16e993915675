package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore/internal/strictjson"
)

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

var sound = []string{
	"null", "true", "false", `""`, "0", "-0", "1", "-12.5e+10", "1E400", "0.0", "[]", "{}", " [ ] ", "\t{ }\r\n",
	`{"a":1,"b":[true,null,{"c":"d"}], "a" : 2 }`, `[[],{},[[]],{"":{}}]`,
	`"\" \\ \/ \b \f \n \r \t \u00e9 \ud83d\ude00 \uFFFD é 😀 ` + "\u2028\x7f\ufffd" + `"`,
	nested(strictjson.MaxDepth), strings.Repeat(`{"a":`, strictjson.MaxDepth) + "1" + strings.Repeat("}", strictjson.MaxDepth),
}

// What encoding/json lets pass and we do not.
var lax = []struct {
	text, path, reason string
	offset             int
}{
	{nested(strictjson.MaxDepth + 1), strings.Repeat("[0]", 13) + "[…0]" + strings.Repeat("[0]", 13), "1000 deep", strictjson.MaxDepth},
	{`{"a":[1,"b\ud800c"]}`, ".a[1]", "half a surrogate pair", 10},
	{`["\udc00\ud800"]`, "[0]", "half a surrogate pair", 2},
	{`["\ud800\u0041"]`, "[0]", "half a surrogate pair", 2},
	{`["\ud800\ud800"]`, "[0]", "half a surrogate pair", 2},
	{`{"x":{"\ud800":1}}`, ".x", "half a surrogate pair", 7},
	{"{\"a b\":[[\"é\xff\"]]}", `."a b"[0][0]`, "UTF-8", 12},
	{"\"\xed\xa0\x80\"", "", "UTF-8", 1},
}

// What is no JSON.
var broken = []struct {
	text, path, reason string
	offset             int
}{
	{"", "", "unexpected end", 0},
	{"  ", "", "unexpected end", 2},
	{"nul", "", "unexpected end", 3},
	{"nulL", "", "value", 3},
	{"True", "", "value", 0},
	{"1 2", "", "after top-level", 2},
	{"{}}", "", "after top-level", 2},
	{"[1,]", "[1]", "value", 3},
	{"[,1]", "[0]", "value", 1},
	{"[1 2]", "[0]", "comma", 3},
	{"[1}", "[0]", "comma", 2},
	{`{"a":1]`, ".a", "comma", 6},
	{`{"a" 1}`, "", "colon", 5},
	{`{"a":1,}`, "", "name", 7},
	{`{'a':1}`, "", "name", 1},
	{`{"a":1,"b":tru}`, ".b", "value", 14},
	{`[[1],[2,[3,{"k":[0,+1]}]]]`, "[1][1][1].k[1]", "value", 19},
	{"01", "", "after top-level", 1},
	{"-", "", "unexpected end", 1},
	{"-a", "", "number", 1},
	{"1.", "", "unexpected end", 2},
	{"[1.e]", "[0]", "number", 3},
	{"[1e+]", "[0]", "number", 4},
	{".5", "", "value", 0},
	{"NaN", "", "value", 0},
	{`"a`, "", "unexpected end", 2},
	{"\"a\nb\"", "", "control", 2},
	{`"\x"`, "", "escape", 1},
	{`"\u12"`, "", "escape", 1},
	{`"\uD8"`, "", "escape", 1},
	{"[", "[0]", "unexpected end", 1},
	{`{"a"`, "", "unexpected end", 4},
	{"/**/1", "", "value", 0},
	{"\ufeff1", "", "value", 0},
}

func TestCheck(t *testing.T) {
	for _, text := range sound {
		require.True(t, json.Valid([]byte(text)), "%.60s", text)
		require.Nil(t, strictjson.Check([]byte(text)), "%.60s", text)
	}
	for _, c := range append(lax, broken...) {
		err := strictjson.Check([]byte(c.text))
		require.NotNil(t, err, "%.60q", c.text)
		require.Contains(t, err.Reason, c.reason, "%.60q", c.text)
		require.Equal(t, c.offset, err.Offset, "%.60q: %s", c.text, err)
		if len(err.Path) <= 80 {
			require.Equal(t, c.path, err.Path, "%.60q", c.text)
		}
	}
	for _, c := range lax {
		require.True(t, json.Valid([]byte(c.text)), "%.60q", c.text)
	}
	for _, c := range broken {
		require.False(t, json.Valid([]byte(c.text)), "%.60q", c.text)
	}
	// A fault behind deep nesting has a path that can be read.
	err := strictjson.Check([]byte(strings.Repeat(`{"größe":[`, 400) + "?"))
	require.Less(t, len(err.Path), 100)
	require.True(t, utf8.ValidString(err.Path))
	require.True(t, strings.HasSuffix(err.Path, `."größe"[0]`), err.Path)
}

func TestMembers(t *testing.T) {
	var got []string
	collect := func(name string, value []byte) error {
		got = append(got, name+"="+string(value))
		return nil
	}
	require.NoError(t, strictjson.Members([]byte(" { \"a\" : [1, 2] ,\"\\u0061\": null,\"\":{\"b\":1 } }\n"), collect))
	require.Equal(t, []string{"a=[1, 2]", "a=null", `={"b":1 }`}, got)

	got = nil
	require.NoError(t, strictjson.Members([]byte("{ }"), collect))
	require.Empty(t, got)
	require.NoError(t, strictjson.Members([]byte(`{"deep":`+nested(strictjson.MaxDepth)+`}`), collect))

	mine := errors.New("mine")
	require.ErrorIs(t, strictjson.Members([]byte(`{"a":1,"b":2}`), func(string, []byte) error { return mine }), mine)

	for _, c := range []struct {
		text, path string
		offset     int
	}{
		{"[]", "", 0}, {"", "", 0}, {`{"a":1}x`, "", 7}, {`{"a":1,}`, "", 7}, {`{,}`, "", 1}, {`{"a":1 "b":2}`, ".a", 7},
		{`{"a":{"b":[0,1,nil]}}`, ".a.b[2]", 16}, {`{"\ud800":1}`, "", 2},
	} {
		var fault *strictjson.Error
		require.ErrorAs(t, strictjson.Members([]byte(c.text), collect), &fault, c.text)
		require.Equal(t, c.path, fault.Path, c.text)
		require.Equal(t, c.offset, fault.Offset, c.text)
	}
}

// FuzzCheck holds the check to encoding/json: what passes, that takes too and changes
// nothing in it; what does not pass is no JSON to it, or one of our three rules.
func FuzzCheck(f *testing.F) {
	for _, text := range sound {
		f.Add([]byte(text))
	}
	for _, c := range append(lax, broken...) {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fault := strictjson.Check(text)
		valid := json.Valid(text)
		if fault == nil {
			require.True(t, valid)
			require.True(t, utf8.Valid(text))
			var v any
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.UseNumber()
			require.NoError(t, dec.Decode(&v))
			if !bytes.ContainsRune(text, utf8.RuneError) && !bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`)) {
				require.NotContains(t, fmt.Sprint(v), "\ufffd", "half a surrogate pair has passed")
			}
		} else {
			require.LessOrEqual(t, fault.Offset, len(text))
			require.True(t, utf8.ValidString(fault.Path))
			if valid {
				require.Regexp(t, "UTF-8|surrogate|deep", fault.Reason)
			}
		}
		// An object is what Members takes, and no other value.
		n := 0
		err := strictjson.Members(text, func(_ string, value []byte) error {
			n++
			require.Nil(t, strictjson.Check(value))
			return nil
		})
		var object map[string]json.RawMessage
		if err == nil {
			require.NoError(t, json.Unmarshal(text, &object))
			require.LessOrEqual(t, len(object), n)
		} else if fault == nil {
			require.NotEqual(t, byte('{'), bytes.TrimLeft(text, " \t\r\n")[0], "%s", err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for name, text := range map[string]string{
		"small":  `{ "format": "mp4", "quality": "high", "width": 1920 }`,
		"large":  `{"list":[` + strings.Repeat(`{"id":"task_1","progress":0.25,"done":false,"note":"größer"},`, 2000) + `null]}`,
		"string": `{"":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if strictjson.Check([]byte(text)) != nil {
					b.Fatal(text)
				}
			}
		})
		b.Run(name+"/encoding", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !json.Valid([]byte(text)) || !utf8.Valid([]byte(text)) {
					b.Fatal(text)
				}
			}
		})
	}
}
