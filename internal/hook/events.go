package hook

import (
	"errors"
	"fmt"

	"github.com/leadpact/leadpact/internal/preset"
)

// list finds the events of a body. batch says that it may hold several: their places tell them apart.
func list(root node, paths preset.Paths) (items []scope, batch bool, err error) {
	if len(paths) == 0 {
		if _, ok := root.(object); !ok {
			return nil, false, errors.New("the body is not one object")
		}
		return []scope{{root: root, event: root}}, false, nil
	}
	for _, path := range paths {
		found, several, ok := walk([]scope{{root: root, event: root}}, path)
		if !ok {
			continue
		}
		items, batch = found, several
		last := path.Steps[len(path.Steps)-1]
		if last.Kind == preset.Member || last.Kind == preset.Where {
			if items, ok = elements(found); !ok {
				return nil, false, fmt.Errorf("%s is not an array of events", quoted(path))
			}
			batch = true
		}
		break
	}
	switch {
	case items == nil && len(paths) > 0 && !isContainer(root):
		return nil, false, errors.New("the body is neither an object nor an array of objects")
	case len(items) == 0:
		return nil, batch, errors.New("the body holds no events")
	case len(items) > maxEvents:
		return nil, batch, fmt.Errorf("the body holds %d events, at most %d are taken at once", len(items), maxEvents)
	case !batch && !isContainer(items[0].event):
		return nil, false, errors.New("the body is neither an object nor an array of objects")
	}
	return items, batch, nil
}

func isContainer(n node) bool {
	switch n.(type) {
	case object, array:
		return true
	}
	return false
}

// walk follows a path that may lead to many; ok is false when nothing stands there.
func walk(at []scope, path preset.Path) (out []scope, batch, ok bool) {
	for _, step := range path.Steps {
		var next []scope
		for _, sc := range at {
			switch step.Kind {
			case preset.Each:
				next, batch = append(next, each(sc)...), true
			case preset.Items:
				if list, isList := sc.event.(array); isList {
					batch = true
					for _, n := range list {
						next = append(next, scope{sc.root, n, sc.key})
					}
				} else {
					next = append(next, sc)
				}
			default:
				if n, found := sc.step(sc.event, step); found && n != nil {
					next = append(next, scope{sc.root, n, sc.key})
				}
			}
		}
		if at = next; len(at) == 0 {
			return nil, batch, batch
		}
	}
	return at, batch, true
}

// each is what stands in an array, or under the names of an object: there a scalar is no event.
func each(sc scope) []scope {
	var out []scope
	switch v := sc.event.(type) {
	case array:
		for _, n := range v {
			out = append(out, scope{sc.root, n, sc.key})
		}
	case object:
		for _, m := range v {
			if isContainer(m.value) {
				out = append(out, scope{sc.root, m.value, m.name})
			}
		}
	}
	return out
}

// elements are those of the one array found; false when there is none.
func elements(found []scope) ([]scope, bool) {
	var out []scope
	for _, sc := range found {
		list, ok := sc.event.(array)
		if !ok {
			return nil, false
		}
		for _, n := range list {
			out = append(out, scope{sc.root, n, sc.key})
		}
	}
	return out, true
}
