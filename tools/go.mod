module github.com/leadpact/leadpact/tools

go 1.26.0

replace github.com/leadpact/leadpact => ../

require github.com/leadpact/leadpact v0.0.0-00010101000000-000000000000
