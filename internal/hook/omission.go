package hook

// Omission is an event that the preset leaves out, and why.
type Omission struct {
	Index int    `json:"index"`
	Why   string `json:"why"`
}

// Omitted says why events of a body are left out: those that Read counts as skipped. It reads the body anew, for people who ask.
func (s *Source) Omitted(r *Request) ([]Omission, error) {
	root, err := s.decode(r)
	if err != nil {
		return nil, err
	}
	items, _, err := list(root, s.Map.Events)
	if err != nil {
		return nil, err
	}
	var out []Omission
	for i, sc := range items {
		if why, omitted := s.omits(sc); omitted {
			out = append(out, Omission{i, why})
		}
	}
	return out, nil
}

// omits says whether the preset's rules leave an event out, and in whose words.
func (s *Source) omits(sc scope) (why string, omitted bool) {
	for _, test := range s.Map.Only {
		if !holds(sc, test) {
			return test.Why, true
		}
	}
	for _, test := range s.Map.Skip {
		if holds(sc, test) {
			return test.Why, true
		}
	}
	return "", false
}
