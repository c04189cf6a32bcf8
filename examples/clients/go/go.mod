module scenario

go 1.19

require shoal v0.0.0

replace shoal => ./gen
