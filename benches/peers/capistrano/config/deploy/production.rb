ENV.fetch("BENCH_HOSTS").split.each { |host| server host, user: "deploy", roles: %w[app] }
