package conformance

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/stretchr/testify/require"
	"go.jetify.com/typeid"
	"pgregory.net/rapid"

	"github.com/jobstore/jobstore"
)

// TestMintedIDs reads minted IDs with the TypeID library: each is a valid one
// of the prefix "job" over a UUIDv7 of RFC 9562, its text is the canonical one,
// and both find the same time in it.
func TestMintedIDs(t *testing.T) {
	now := time.UnixMilli(1711900000000)
	s, err := jobstore.Open(filepath.Join(t.TempDir(), "jobs.db"), &jobstore.Options{
		NoSync: true,
		Now:    func() time.Time { return now },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		for problem, err := range s.Check(context.Background()) {
			require.NoError(t, err)
			t.Errorf("check: %s", problem)
		}
		require.NoError(t, s.Close())
	})

	for _, step := range []time.Duration{0, time.Millisecond, -time.Hour, time.Hour, 365 * 24 * time.Hour} {
		now = now.Add(step)
		jobs := make([]*jobstore.Job, 2000)
		for i := range jobs {
			jobs[i] = &jobstore.Job{Kind: jobstore.KindVideo, Input: "s3://a"}
		}
		require.NoError(t, s.Create(t.Context(), jobs...))
		for _, j := range jobs {
			requireTypeID(t, j.ID)
		}
	}
}

func requireTypeID(t require.TestingT, id jobstore.ID) {
	parsed, err := typeid.FromString(string(id))
	require.NoError(t, err, "%s", id)
	require.Equal(t, "job", parsed.Prefix())
	require.Equal(t, string(id), parsed.String())
	u, err := uuid.FromBytes(parsed.UUIDBytes())
	require.NoError(t, err)
	require.EqualValues(t, uuid.V7, u.Version(), "%s is %s", id, u)
	require.EqualValues(t, uuid.VariantRFC9562, u.Variant(), "%s is %s", id, u)
	stamp, err := uuid.TimestampFromV7(u)
	require.NoError(t, err)
	want, err := stamp.Time()
	require.NoError(t, err)
	got, ok := id.Time()
	require.True(t, ok, "%s", id)
	require.Equal(t, want.UnixMilli(), got.UnixMilli())
}

// TestFirstID reads FirstID with the TypeID library: all bits are zero but the
// time, the version and the variant.
func TestFirstID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		milli := rapid.Int64Range(0, 1<<48-1).Draw(t, "ms")
		id := jobstore.FirstID(time.UnixMilli(milli))
		parsed, err := typeid.FromString(string(id))
		require.NoError(t, err)
		var want uuid.UUID
		for i := range 6 {
			want[i] = byte(milli >> (40 - 8*i))
		}
		want[6], want[8] = 0x70, 0x80
		require.Equal(t, want.Bytes(), parsed.UUIDBytes())
	})
}

// TestLibraryIDs takes the IDs that the TypeID library makes: the store accepts
// them and finds the time that the library put into them.
func TestLibraryIDs(t *testing.T) {
	for range 1000 {
		before := time.Now().Truncate(time.Millisecond)
		made, err := typeid.WithPrefix("job")
		require.NoError(t, err)
		after := time.Now()
		id, err := jobstore.ParseID(made.String())
		require.NoError(t, err)
		at, ok := id.Time()
		require.True(t, ok, "%s", id)
		require.False(t, at.Before(before) || at.After(after), "%s not in %s to %s", at, before, after)
	}
}

// TestAnyUUID writes UUIDs of all sorts as TypeIDs: a time is found in those of
// version 7 and the RFC's variant, and in no other.
func TestAnyUUID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		if rapid.Bool().Draw(t, "version 7") {
			u[6] = 0x70 | u[6]&0xf
		}
		if rapid.Bool().Draw(t, "the RFC's variant") {
			u[8] = 0x80 | u[8]&0x3f
		}
		made, err := typeid.FromUUIDBytesWithPrefix("job", u.Bytes())
		require.NoError(t, err)
		id, err := jobstore.ParseID(made.String())
		require.NoError(t, err)
		at, ok := id.Time()
		require.Equal(t, u[6]>>4 == 7 && u[8]>>6 == 2, ok, "%s is %s", id, u)
		if ok {
			require.EqualValues(t, uint64(u[0])<<40|uint64(u[1])<<32|uint64(u[2])<<24|
				uint64(u[3])<<16|uint64(u[4])<<8|uint64(u[5]), at.UnixMilli())
		}
	})
}

// TestSpecification reads the examples of the TypeID specification.
func TestSpecification(t *testing.T) {
	for id, valid := range map[string]bool{
		"job_01h455vb4pex5vsknk084sn02q": true,
		"job_00000000000000000000000000": true,
		"job_7zzzzzzzzzzzzzzzzzzzzzzzzz": true,
		"job_8zzzzzzzzzzzzzzzzzzzzzzzzz": false,
		"job_01H455VB4PEX5VSKNK084SN02Q": false,
		"job_01h455vb4pex5vsknk084sn02":  false,
		"job_01h455vb4pex5vsknk084sn0iq": false,
		"job_abc123":                     false,
	} {
		_, err := typeid.FromString(id)
		require.Equal(t, valid, err == nil, id)
		_, isTimed := jobstore.ID(id).Time()
		require.False(t, isTimed && !valid, "%s is no TypeID and has no time", id)
		_, err = jobstore.ParseID(id)
		require.NoError(t, err, "the store takes it either way")
	}
}
