package jobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
)

// Limits of a page, in jobs.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// An Order is the direction in which jobs are listed, by the bytes of their IDs.
type Order uint8

// The documented orders.
const (
	Desc Order = iota // newest first, the default
	Asc               // oldest first
)

// String returns the API's word for o: "desc" or "asc".
func (o Order) String() string {
	switch o {
	case Desc:
		return "desc"
	case Asc:
		return "asc"
	}
	return "unknown"
}

// ParseOrder returns the order that the API calls word, "asc" or "desc". It fails with
// a [FieldError] for any other word.
func ParseOrder(word string) (Order, error) {
	switch word {
	case "desc":
		return Desc, nil
	case "asc":
		return Asc, nil
	}
	return Desc, fieldError("order", word, "must be asc or desc")
}

// A Query selects jobs and the page of them to read. The zero value is the
// documented default: every job, newest first, 20 of them.
//
// After and Before are positions: a job with that ID need not exist or match the
// filter. The package documentation says what each combination reads.
type Query struct {
	Kind   Kind   // any of these kinds; zero is any
	Status Status // any of these statuses; zero is any
	Input  string // exactly this input, byte for byte; empty is any

	// InputSHA256 is the short form of a long Input: it selects the jobs whose input
	// has this SHA-256, in 64 hexadecimal digits. Empty is any. A query must not have
	// both Input and InputSHA256.
	InputSHA256 string

	Limit  int // 1 to MaxLimit jobs; zero is DefaultLimit
	After  ID  // jobs strictly past this ID in the order asked for
	Before ID  // jobs strictly ahead of this ID
	Order  Order
}

// Validate returns a [FieldError] that names the first field outside its bounds.
func (q Query) Validate() error {
	if extra := q.Kind &^ allKinds; extra != 0 {
		return fieldError("kind", q.Kind.String(), "must be %s", alternatives(kindWords))
	}
	if extra := q.Status &^ allStatuses; extra != 0 {
		return fieldError("status", q.Status.String(), "must be %s", alternatives(statusWords))
	}
	if err := validateText("input", q.Input, MaxInput); err != nil {
		return err
	}
	if q.InputSHA256 != "" {
		if _, ok := q.inputSum(); !ok {
			return fieldError("input_sha256", q.InputSHA256, "must be 64 hexadecimal digits")
		}
		if q.Input != "" {
			return fieldError("input_sha256", q.InputSHA256, "must not be given together with input")
		}
	}
	if q.Limit < 0 || q.Limit > MaxLimit {
		return limitError(strconv.Itoa(q.Limit))
	}
	if q.After != "" {
		if err := q.After.validate("after"); err != nil {
			return err
		}
	}
	if q.Before != "" {
		if err := q.Before.validate("before"); err != nil {
			return err
		}
	}
	if q.Order > Asc {
		return fieldError("order", strconv.Itoa(int(q.Order)), "must be Desc or Asc")
	}
	return nil
}

func limitError(value string) error {
	return fieldError("limit", value, "must be a whole number from 1 to %d", MaxLimit)
}

// ParseQuery reads the documented parameters kind, status, input, input_sha256,
// limit, after, before and order from values. Other parameters are ignored. An empty
// value means that the parameter is not given. Kind and status may be repeated to
// name a set.
//
// It fails with a [FieldError] that names the parameter for a value that is not
// documented, and for any other parameter that is given twice.
func ParseQuery(values url.Values) (Query, error) {
	var q Query
	for _, word := range values["kind"] {
		if word == "" {
			continue
		}
		kind, err := ParseKind(word)
		if err != nil {
			return Query{}, err
		}
		q.Kind |= kind
	}
	for _, word := range values["status"] {
		if word == "" {
			continue
		}
		status, err := ParseStatus(word)
		if err != nil {
			return Query{}, err
		}
		q.Status |= status
	}
	words := map[string]string{}
	for _, name := range []string{"input", "input_sha256", "limit", "after", "before", "order"} {
		given := values[name]
		if len(given) > 1 {
			return Query{}, fieldError(name, given[1], "must not be given more than once")
		}
		if len(given) == 1 {
			words[name] = given[0]
		}
	}
	q.Input, q.InputSHA256 = words["input"], words["input_sha256"]
	q.After, q.Before = ID(words["after"]), ID(words["before"])
	var err error
	if words["limit"] != "" {
		if q.Limit, err = parseLimit(words["limit"]); err != nil {
			return Query{}, err
		}
	}
	if words["order"] != "" {
		if q.Order, err = ParseOrder(words["order"]); err != nil {
			return Query{}, err
		}
	}
	if err := q.Validate(); err != nil {
		return Query{}, err
	}
	return q, nil
}

// parseLimit reads a limit: decimal digits, without a sign or an exponent. Zero, which
// is the default in a Query, is refused.
func parseLimit(word string) (int, error) {
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil || n < 1 || n > MaxLimit || word[0] == '0' {
		return 0, limitError(word)
	}
	return int(n), nil
}

// Values returns the parameters of q, without those that have their default value.
// [ParseQuery] makes the same query of them.
func (q Query) Values() url.Values {
	values := url.Values{}
	for _, kind := range q.Kind.Kinds() {
		values.Add("kind", kind.String())
	}
	for _, status := range q.Status.Statuses() {
		values.Add("status", status.String())
	}
	for name, value := range map[string]string{
		"input": q.Input, "input_sha256": q.InputSHA256, "after": string(q.After), "before": string(q.Before),
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Order != Desc {
		values.Set("order", q.Order.String())
	}
	return values
}

// hasInput reports whether q asks for the jobs of one input.
func (q *Query) hasInput() bool { return q.Input != "" || q.InputSHA256 != "" }

// inputSum returns the SHA-256 of the input that q asks for, and false if it asks
// for none.
func (q *Query) inputSum() (sum [sha256.Size]byte, ok bool) {
	if q.Input != "" {
		return sha256.Sum256([]byte(q.Input)), true
	}
	if len(q.InputSHA256) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(q.InputSHA256))
	return sum, err == nil
}

// admitsInput reports whether input is the one that q asks for.
func (q *Query) admitsInput(input string) bool {
	if q.InputSHA256 == "" {
		return q.Input == "" || input == q.Input
	}
	want, _ := q.inputSum()
	return sha256.Sum256([]byte(input)) == want
}

// admits reports whether q's filter on kind and status lets j through.
func (q *Query) admits(j *Job) bool {
	return j.Kind&q.kinds() != 0 && j.Status&q.statuses() != 0
}

// backward reports whether q is read from Before on, against its order.
func (q Query) backward() bool { return q.Before != "" && q.After == "" }

func (q Query) limit() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return q.Limit
}

// kinds and statuses return the set that q asks for. A query that names none asks
// for all.
func (q *Query) kinds() Kind {
	if q.Kind == 0 {
		return allKinds
	}
	return q.Kind
}

func (q *Query) statuses() Status {
	if q.Status == 0 {
		return allStatuses
	}
	return q.Status
}
