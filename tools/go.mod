module github.com/leadpact/leadpact/tools

go 1.26.0

replace github.com/leadpact/leadpact => ../
