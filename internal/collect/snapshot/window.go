package snapshot

import "slices"

// IsZero reports whether the window was not told.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// Empty reports whether no time lies in the window.
func (w Window) Empty() bool { return !w.From.Before(w.To) }

// Intersect gives what two windows have in common; it may be empty.
func (w Window) Intersect(v Window) Window {
	if v.From.After(w.From) {
		w.From = v.From
	}
	if v.To.Before(w.To) {
		w.To = v.To
	}
	return w
}

// Union gives the times that lie in any of the windows, as few windows in their order.
func Union(windows ...Window) []Window {
	windows = slices.DeleteFunc(slices.Clone(windows), Window.Empty)
	slices.SortFunc(windows, func(a, b Window) int { return a.From.Compare(b.From) })
	var out []Window
	for _, w := range windows {
		if n := len(out); n > 0 && !w.From.After(out[n-1].To) {
			if w.To.After(out[n-1].To) {
				out[n-1].To = w.To
			}
			continue
		}
		out = append(out, w)
	}
	return out
}

// Without gives what is left of the window without others.
func (w Window) Without(others ...Window) []Window {
	var out []Window
	for _, o := range Union(others...) {
		if before := (Window{From: w.From, To: o.From}).Intersect(w); !before.Empty() {
			out = append(out, before)
		}
		if o.To.After(w.From) {
			w.From = o.To
		}
	}
	if !w.Empty() {
		out = append(out, w)
	}
	return out
}
