// The settings of the tasks of a master's frameworks.
#include "agent/config/option_kit.hpp"

namespace gantry::agent {

std::vector<Option> taskOptions() {
  return {
      option("switch_user", "", &Config::switchUser,
             "Whether tasks run as the user they name; otherwise as the one the agent runs as."),
      option("executor_environment_variables", "JSON", &Config::executorEnvironmentVariables,
             "Variables that tasks find in their environment unless they set them otherwise: {\"NAME\": \"value\"}."),
      option("executor_shutdown_grace_period", "DURATION", &Config::executorShutdownGracePeriod,
             "How long a task may go on after SIGTERM when it does not say."),
      option("max_completed_executors_per_framework", "COUNT", &Config::maxCompletedExecutorsPerFramework,
             "How many tasks that ended are remembered of each framework."),
      option("docker_bridge_network", "NAME", &Config::dockerBridgeNetwork,
             "The network of tasks that ask for Docker's BRIDGE."),
      option("frameworks_home", "DIR", &Config::frameworksHome, "What URIs that are relative paths are relative to."),
      option("fetcher_cache_dir", "DIR", &Config::fetcherCacheDir,
             "Where files of URIs with 'cache' are kept. Empty: fetch in --work_dir."),
      option("fetcher_cache_size", "BYTES", &Config::fetcherCacheSize, "How much the fetcher's cache may hold."),
      option("fetcher_stall_timeout", "DURATION", &Config::fetcherStallTimeout,
             "A download that brings next to nothing for this long is given up."),
  };
}

}  // namespace gantry::agent
