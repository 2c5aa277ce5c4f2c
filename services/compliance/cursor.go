package compliance

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// cursor is a watcher's place: the last number dealt with in each shard. Outside it is opaque.
type cursor [ledger.Shards]int64

// cursorVersion is the first byte of a cursor.
const cursorVersion = 1

var (
	errCursor = errors.New("the cursor is not one of ours: take it from a message of this stream, or leave it empty to start at the beginning")
	errAhead  = errors.New("the cursor is ahead of this ledger: it is from another one, or this one was restored from an older backup; " +
		"leave it empty to start at the beginning")
)

func (c cursor) String() string {
	b := []byte{cursorVersion}
	for _, seq := range c {
		b = binary.AppendUvarint(b, uint64(seq))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (cursor, error) {
	var c cursor
	if s == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != cursorVersion {
		return c, errCursor
	}
	b = b[1:]
	for i := range c {
		seq, n := binary.Uvarint(b)
		if n <= 0 || seq > 1<<62 {
			return c, errCursor
		}
		c[i] = int64(seq)
		b = b[n:]
	}
	if c.String() != s { // what was added, or written in another way
		return c, errCursor
	}
	return c, nil
}

// ahead says whether c is past the end of the ledger in any shard.
func (c cursor) ahead(end cursor) bool {
	for i, seq := range c {
		if seq > end[i] {
			return true
		}
	}
	return false
}
