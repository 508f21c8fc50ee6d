package trailfiles

import (
	"fmt"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// report is what one file told.
type report struct {
	records int64 // that were reached
	classes [classOther + 1]int64
	bad     int64 // not understood
	badAt   int64 // the first of them
	badErr  error
	stopped error // why the reading ended early

	candidates int64
	kept       int64
	keep       func(*snapshot.Record, *snapshot.UseKey)
}

func (r *report) count(c class) {
	if c == classNone {
		c = classManagement
	}
	r.classes[c]++
}

// decode decodes a record that is a candidate, or is not as expected.
func (r *report) decode(raw []byte, s *scanner) {
	decode := snapshot.DecodeSound
	if s.strange {
		decode = snapshot.DecodeRecord
	}
	record, err := decode(raw)
	if err != nil {
		if r.bad++; r.bad == 1 {
			r.badAt, r.badErr = r.records, err
		}
		return
	}
	r.candidates++
	s.clock.keep(record.EventTime.Unix())
	key, ok := snapshot.Facts(record)
	class := classOf([]byte(record.EventCategory), classNone)
	if m := record.ManagementEvent; class == classNone && m != nil && !*m {
		class = classData
	}
	r.count(class)
	if ok {
		r.keep(record, &key)
	}
}

// stop ends the reading of a file, early where there is an error.
func (r *report) stop(err error) {
	if err != nil {
		r.stopped = fmt.Errorf("record %d: %w", r.records, err)
		if r.records == 0 {
			r.stopped = err
		}
	}
}

// err is what the file's gap says, nil for none.
func (r *report) err() error {
	bad := ""
	if r.bad > 0 {
		bad = fmt.Sprintf("%d of its records could not be understood, the first of them number %d: %v", r.bad, r.badAt, r.badErr)
	}
	switch {
	case r.stopped != nil && r.bad > 0:
		return fmt.Errorf("read up to %w; before that, %s", r.stopped, bad)
	case r.stopped != nil && r.records > 0:
		return fmt.Errorf("read up to %w", r.stopped)
	case r.stopped != nil:
		return r.stopped
	case r.bad > 0:
		return fmt.Errorf("%s", bad)
	}
	return nil
}
