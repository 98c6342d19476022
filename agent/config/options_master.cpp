// The settings of the link to a Mesos master, and of what it is told of this host.
#include "agent/config/option_kit.hpp"

namespace gantry::agent {

std::vector<Option> masterOptions() {
  using namespace std::chrono_literals;
  return {
      option(
          "master", "ADDRESS", &Config::master,
          "The Mesos master to register with: host:port, zk://host:port,…/path, or file:///path to a file that holds "
          "one of these. Empty: none, the agent runs standalone."),
      option("zk_session_timeout", "DURATION", &Config::zkSessionTimeout,
             "How long ZooKeeper keeps a session without hearing of it."),
      option("credential", "FILE", &Config::credential,
             "The principal and secret to authenticate to the master with: {\"principal\": …, \"secret\": …}, or both "
             "on one line. Empty: no authentication."),
      option("authentication_backoff_factor", "DURATION", &Config::authenticationBackoffFactor,
             "The first authentication waits for up to this long, later ones longer."),
      option("authentication_timeout_min", "DURATION", &Config::authenticationTimeoutMin,
             "How long one attempt to authenticate may take at least."),
      option("authentication_timeout_max", "DURATION", &Config::authenticationTimeoutMax,
             "How long one attempt to authenticate may take at most."),
      checked(option("registration_backoff_factor", "DURATION", &Config::registrationBackoffFactor,
                     "The first registration waits for up to this long, later ones longer; at most 1mins."),
              notLongerThan(1min)),

      option("hostname", "NAME", &Config::hostname, "The name this host is known by; empty: what the kernel says."),
      option("hostname_lookup", "", &Config::hostnameLookup,
             "Without a --hostname, whether that is looked up; otherwise it is the address."),
      option("advertise_ip", "ADDRESS", &Config::advertiseIp,
             "The address by which the master reaches this agent, when that is not --ip."),
      option("advertise_port", "PORT", &Config::advertisePort,
             "The port by which the master reaches this agent; 0: --port."),
      option("resources", "RESOURCES", &Config::resources,
             "What this host offers: 'cpus:4;mem:8192;ports:[31000-32000]', or JSON. What is not named of cpus, mem, "
             "disk and ports is detected."),
      option("attributes", "ATTRIBUTES", &Config::attributes,
             "What frameworks are told of this host: 'rack:r1;zone:z9'."),
      option("default_role", "ROLE", &Config::defaultRole, "The role of resources that name none."),
      option("domain", "JSON", &Config::domain,
             "Where this host is: {\"fault_domain\": {\"region\": {\"name\": …}, \"zone\": {\"name\": …}}}."),

      option("recover", "HOW", &Config::recover,
             "reconnect: an earlier agent's tasks go on. cleanup: they are ended and the agent stops after that."),
      option("strict", "", &Config::strict,
             "Whether the agent refuses to start when it cannot take up what an earlier one left."),
      option("recovery_timeout", "DURATION", &Config::recoveryTimeout,
             "How long tasks are told that they go on without an agent (MESOS_RECOVERY_TIMEOUT)."),
      option("reconfiguration_policy", "POLICY", &Config::reconfigurationPolicy,
             "How resources, attributes and the like may differ from those of an earlier agent: equal or additive."),
  };
}

}  // namespace gantry::agent
