set :application, "app"
set :repo_url, "git://#{ENV.fetch('OPERATOR')}/app"
set :branch, "main"
set :deploy_to, ENV.fetch("APP")
set :format, :simpletext
set :ssh_options, {
  user: "deploy", keys: [ENV.fetch("SSH_KEY")], keys_only: true, config: [ENV.fetch("SSH_CONFIG")],
  verify_host_key: :always, user_known_hosts_file: ENV.fetch("KNOWN_HOSTS"), auth_methods: ["publickey"]
}
SSHKit::Backend::Netssh.configure { |ssh| ssh.connection_timeout = 30 }

namespace :app do
  task :restart do
    on roles(:app) do
      within(deploy_path) { execute :sh, "-c", "'echo ok > #{current_path}/.restarted'" }
      raise "not well" unless capture(:cat, current_path.join("VERSION")).strip == ENV.fetch("ID")
    end
  end
end
after "deploy:publishing", "app:restart"
