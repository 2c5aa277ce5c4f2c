package hook

// AccountOf is the account that a body says it comes from, of its first event; "" when it says none.
func (s *Source) AccountOf(r *Request) (string, error) {
	root, err := s.decode(r)
	if err != nil {
		return "", err
	}
	items, _, err := list(root, s.Map.Events)
	if err != nil {
		return "", err
	}
	said := reader{}
	account := said.text(items[0], s.Account, maxID, joinWords)
	return account, said.err
}
