#include "agent/config/load.hpp"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/config/mesos_flags.hpp"
#include "agent/config/options.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

class LoadTest : public testing::Test {
 protected:
  LoadTest() {
    std::string pattern = testing::TempDir() + "/gantry-config-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    EXPECT_TRUE(kernel::makeDirectories(directory_ + "/conf.d", 0755));
    write("agent.toml", "");
  }
  ~LoadTest() override { ignore(kernel::removeTree(directory_), "a temporary directory"); }

  void write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(kernel::replaceFile(directory_ + "/" + name, text));
  }

  Result<Loaded> loadWith(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(),
                     {"--config=" + directory_ + "/agent.toml", "--config_dir", directory_ + "/conf.d"});
    return load(arguments, environment);
  }

  // The message of the error, with the directory's name as "DIR".
  std::string errorWith(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    const auto loaded = loadWith(std::move(arguments), std::move(environment));
    if (loaded) return "";
    std::string text = loaded.error().message();
    const std::size_t at = text.find(directory_);
    if (at != std::string::npos) text.replace(at, directory_.size(), "DIR");
    return text;
  }

  static Setting setting(const Loaded& loaded, std::string_view name) {
    for (const Setting& one : loaded.settings) {
      if (one.name == name) return one;
    }
    return {};
  }

  std::string directory_;
};

TEST_F(LoadTest, TheStrongestSourceWinsAndIsRemembered) {
  const std::vector<std::string> flags{"--work_dir=/flag"};
  const std::vector<std::string> ours{"GANTRY_WORK_DIR=/ours"};
  const std::vector<std::string> mesos{"MESOS_WORK_DIR=/mesos"};
  const std::vector<std::string> both{"MESOS_WORK_DIR=/mesos", "GANTRY_WORK_DIR=/ours"};

  EXPECT_EQ(loadWith({})->config.workDir.text, "/var/lib/gantry");
  EXPECT_EQ(setting(*loadWith({}), "work_dir").origin, "default");
  write("agent.toml", "port = 1\nwork_dir = '/file'\n");
  EXPECT_EQ(setting(*loadWith({}), "work_dir").origin, directory_ + "/agent.toml:2");
  write("conf.d/10.toml", "work_dir = '/ten'");
  write("conf.d/20.toml", "work_dir = '/twenty'");
  write("conf.d/30.toml.disabled", "work_dir = '/thirty'");
  EXPECT_EQ(loadWith({})->config.workDir.text, "/twenty");
  EXPECT_EQ(loadWith({})->config.port.number, 1);
  EXPECT_EQ(loadWith({}, mesos)->config.workDir.text, "/mesos");
  EXPECT_EQ(loadWith({}, both)->config.workDir.text, "/ours");
  EXPECT_EQ(setting(*loadWith({}, ours), "work_dir").origin, "GANTRY_WORK_DIR");
  const auto loaded = loadWith(flags, both);
  EXPECT_EQ(setting(*loaded, "work_dir").value, "/flag");
  EXPECT_EQ(setting(*loaded, "work_dir").origin, "--work_dir");
}

TEST_F(LoadTest, FlagsAreWrittenInSeveralWays) {
  EXPECT_EQ(loadWith({"--work-dir", "/a"})->config.workDir.text, "/a");
  EXPECT_EQ(loadWith({"--insecure_registries=a,b:5000"})->config.insecureRegistries.size(), 2U);
  EXPECT_EQ(loadWith({"--runtime="})->config.runtime, std::nullopt);
  EXPECT_EQ(errorWith({"--port"}), "--port: needs a value, as --port=PORT");
  EXPECT_EQ(errorWith({"--no-port"}), "--no-port: only a boolean without a value can be negated");
  EXPECT_EQ(errorWith({"start"}), "'start' is not a flag; flags are --name=value");
  EXPECT_EQ(errorWith({"--"}), "'--' is not a flag; flags are --name=value");
}

TEST_F(LoadTest, UnknownNamesAreErrorsThatNameTheNearest) {
  EXPECT_EQ(errorWith({"--wrok_dir=/a"}), "--wrok_dir: there is no such setting; did you mean '--work_dir'?");
  EXPECT_EQ(errorWith({"--zzz=/a"}), "--zzz: there is no such setting");
  EXPECT_EQ(errorWith({}, {"GANTRY_WORKDIR=/a"}),
            "GANTRY_WORKDIR: there is no such setting; did you mean 'GANTRY_WORK_DIR'?");
  EXPECT_EQ(errorWith({}, {"MESOS_WORKDIR=/a", "GANTRY_AGENT=unix:///a", "GANTRY_TEST_SESSION=1", "PATH=/bin"}), "");
  write("agent.toml", "\nworkdir = '/a'\n");
  EXPECT_EQ(errorWith({}), "configuration: DIR/agent.toml:2: there is no setting 'workdir'; did you mean 'work_dir'?");
  write("agent.toml", "[network]\nbridge = 1\n");
  EXPECT_TRUE(errorWith({}).starts_with("configuration: DIR/agent.toml:1: there is no setting 'network'"));
  write("agent.toml", "config = '/a'");
  EXPECT_EQ(errorWith({}), "configuration: DIR/agent.toml:1: 'config' cannot be set in a file");
}

TEST_F(LoadTest, WrongValuesAreNamedWithTheirOrigin) {
  EXPECT_EQ(errorWith({"--port=x"}), "--port: must be a whole number from 0 to 65535, not 'x'");
  EXPECT_EQ(errorWith({}, {"MESOS_PORT=70000"}), "MESOS_PORT: must be a whole number from 0 to 65535, not '70000'");
  EXPECT_EQ(errorWith({"--container_log_files=4294967296"}),
            "--container_log_files: must be at most 1000, not '4294967296'");
  EXPECT_EQ(errorWith({"--default_pids_limit=4194305"}),
            "--default_pids_limit: must be at most 4194304, not '4194305'");
  for (const char* name : {"", "..", "a/b", "a b", "sixteen-letters!"}) {
    EXPECT_EQ(errorWith({fmt::format("--bridge_name={}", name)}),
              fmt::format("--bridge_name: must be an interface's name of 1 to 15 characters without '/', ':' and white "
                          "space, not '{}'",
                          name));
  }
  EXPECT_EQ(errorWith({"--cgroups_root=../a"}), "--cgroups_root: must be a relative path as 'gantry', not '../a'");
  write("agent.toml", "work_dir = 'a'");
  EXPECT_EQ(errorWith({}), "DIR/agent.toml:1: work_dir: must be an absolute path, not 'a'");
  write("agent.toml", "work_dir = 1");
  EXPECT_EQ(errorWith({}), "configuration: DIR/agent.toml:1: work_dir: must be a string, not an integer");
  write("agent.toml", "port = '1'");
  EXPECT_EQ(errorWith({}), "configuration: DIR/agent.toml:1: port: must be an integer, not a string");
  write("agent.toml", "insecure_registries = ['a', 1]");
  EXPECT_EQ(errorWith({}),
            "configuration: DIR/agent.toml:1: insecure_registries: must be a list of strings, not of an integer");
  write("agent.toml", "port = 5051\nwork_dir = ");
  EXPECT_TRUE(errorWith({}).starts_with("configuration: DIR/agent.toml:2: "));
}

TEST_F(LoadTest, FilesTakeEveryKindOfValue) {
  write("agent.toml",
        "port = 6000\ncontainer_log_size = 4096\nhttp_body_limit = '1MB'\ninsecure_registries = ['a', 'b:5000']\n");
  const auto loaded = loadWith({});
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->config.port.number, 6000);
  EXPECT_EQ(loaded->config.containerLogSize, Bytes::kibi(4));
  EXPECT_EQ(loaded->config.httpBodyLimit, Bytes::mebi(1));
  EXPECT_EQ(loaded->config.insecureRegistries, (std::vector<std::string>{"a", "b:5000"}));
}

TEST_F(LoadTest, AValueMayBeInAFileOfItsOwn) {
  write("registry", "https://registry.example\n");
  EXPECT_EQ(loadWith({"--docker_registry=file://" + directory_ + "/registry"})->config.dockerRegistry,
            "https://registry.example");
  EXPECT_EQ(loadWith({"--work_dir=file:///data"})->config.workDir.text, "/data");
  EXPECT_EQ(errorWith({"--docker_registry=file:///nowhere"}).substr(0, 19), "--docker_registry: ");
}

TEST_F(LoadTest, JsonIsGivenAsTextOrAsAFile) {
  write("rules", R"({"disabled_endpoints": {"paths": ["/files/browse"]}})");
  const std::vector<std::string> paths{"/files/browse"};
  EXPECT_EQ(loadWith({"--firewall_rules=" + directory_ + "/rules"})->config.firewallRules.disabledPaths, paths);
  EXPECT_EQ(loadWith({"--firewall_rules=file://" + directory_ + "/rules"})->config.firewallRules.disabledPaths, paths);
  EXPECT_EQ(loadWith({R"(--executor_environment_variables={"A":"b"})"})->config.executorEnvironmentVariables.values,
            (std::map<std::string, std::string>{{"A", "b"}}));
  EXPECT_EQ(loadWith({R"(--bounding_capabilities={"capabilities":["net_raw"]})"})->config.boundingCapabilities->names,
            std::vector<std::string>{"CAP_NET_RAW"});
  EXPECT_EQ(loadWith({})->config.boundingCapabilities, std::nullopt);
  EXPECT_EQ(errorWith({"--domain={"}), "--domain: must be JSON, and is not");
  EXPECT_EQ(errorWith({"--domain=[]"}), "--domain: must be a JSON object, not array");
  EXPECT_EQ(errorWith({R"(--firewall_rules={"disabled":1})"}),
            "--firewall_rules: has the key 'disabled', and only 'disabled_endpoints' is known");
  EXPECT_EQ(errorWith({R"(--firewall_rules={"disabled_endpoints":{"paths":["a"]}})"}),
            "--firewall_rules: has the path 'a', which does not begin with '/'");
  EXPECT_EQ(errorWith({R"(--effective_capabilities={"capabilities":["FLY"]})"}),
            "--effective_capabilities: has 'FLY', which is no capability");
  EXPECT_EQ(errorWith({R"(--executor_environment_variables={"A":1})"}),
            "--executor_environment_variables: gives 'A' a value that is number, and not a string");
}

TEST_F(LoadTest, BooleansAreSetAndNegated) {
  EXPECT_TRUE(loadWith({"--cgroups_enable_cfs"})->config.cgroupsEnableCfs);
  EXPECT_FALSE(loadWith({"--no-switch_user"})->config.switchUser);
  EXPECT_FALSE(loadWith({"--switch_user=false"})->config.switchUser);
  EXPECT_FALSE(loadWith({}, {"MESOS_STRICT=0"})->config.strict);
  EXPECT_EQ(errorWith({"--no-strict=true"}), "--no-strict: only a boolean without a value can be negated");
}

TEST_F(LoadTest, WithoutAnAddressOnlyAMasterBringsTheAgentOffLoopback) {
  EXPECT_EQ(listenAddress(loadWith({})->config).text, "127.0.0.1");
  EXPECT_EQ(listenAddress(loadWith({"--master=m:5050"})->config).text, "0.0.0.0");
  EXPECT_EQ(listenAddress(loadWith({"--master=m:5050", "--ip=10.0.0.1"})->config).text, "10.0.0.1");
}

TEST_F(LoadTest, FlagsOfMesosAgentAreMetIgnoredOrRefused) {
  // As a real agent was started; recordings, 22.
  const auto loaded =
      loadWith({"--ip=127.0.0.1",
                "--port=5051",
                "--hostname=127.0.0.1",
                "--master=127.0.0.1:5050",
                "--work_dir=/w",
                "--runtime_dir=/r",
                "--launcher_dir=/usr/libexec/mesos-agent",
                "--launcher=linux",
                "--containerizers=mesos",
                "--isolation=filesystem/linux,docker/runtime,cgroups/cpu,cgroups/mem,cgroups/devices,cgroups/pids,"
                "namespaces/pid,namespaces/ipc,disk/du,volume/sandbox_path,volume/host_path,volume/image,network/cni,"
                "linux/capabilities,posix/rlimits",
                "--image_providers=docker",
                "--docker_registry=/images",
                "--docker_store_dir=/s",
                "--no-systemd_enable_support",
                "--no-switch_user",
                "--cgroups_root=mesos",
                "--network_cni_config_dir=/cni",
                "--network_cni_plugins_dir=/usr/lib/cni",
                "--resources=cpus:8;mem:16384",
                "--attributes=rack:r1"});
  ASSERT_TRUE(loaded) << loaded.error().message();
  std::map<std::string, std::string> ignored;
  for (const IgnoredFlag& flag : loaded->ignored) ignored[flag.origin] = flag.reason;
  EXPECT_EQ(ignored.size(), 4U);
  EXPECT_EQ(ignored["--isolation"], "'volume/image': a task that asks for it is refused by name");
  EXPECT_TRUE(ignored.contains("--launcher_dir"));
  EXPECT_TRUE(ignored.contains("--docker_store_dir"));
  EXPECT_TRUE(ignored.contains("--no-systemd_enable_support"));

  EXPECT_EQ(errorWith({"--modules={}"}), "--modules={}: libraries made for mesos-agent cannot be loaded");
  EXPECT_EQ(errorWith({}, {"MESOS_AUTHENTICATE_HTTP_READWRITE=1"}),
            "MESOS_AUTHENTICATE_HTTP_READWRITE=true: this version authenticates nobody, and would answer everybody");
  EXPECT_EQ(
      errorWith({"--isolation=cgroups/cpu,disk/xfs,posix/mem,mine"}),
      "--isolation=cgroups/cpu,disk/xfs,posix/mem,mine: 'disk/xfs': disk quotas are not enforced by this version; "
      "'mine': there is no isolator of that name, and mesos-agent's modules cannot be loaded");
  EXPECT_EQ(errorWith({"--quiet=maybe"}), "--quiet: must be true or false, not 'maybe'");
  EXPECT_EQ(errorWith({"--no-enforce_container_disk_quota", "--authorizer=local", "--image_provisioner_backend=auto"}),
            "");
}

TEST_F(LoadTest, TheFlagsInForceAreShownAsMesosAgentShowsThem) {
  const auto flags = flagsInForce(*loadWith({"--isolation=cgroups/cpu", "--gc_delay=2days", "--no-strict"}));
  EXPECT_EQ(flags.at("isolation"), "cgroups/cpu");
  EXPECT_EQ(flags.at("gc_delay"), "2days");
  EXPECT_EQ(flags.at("strict"), "false");
  EXPECT_EQ(flags.at("authenticate_http_readonly"), "false");
  EXPECT_EQ(flags.at("recovery_timeout"), "15mins");
  EXPECT_FALSE(flags.contains("disk_watch_interval"));
  EXPECT_FALSE(flags.contains("master"));
}

TEST_F(LoadTest, LibprocessVariablesCountAfterMesos) {
  const std::vector<std::string> both{"LIBPROCESS_IP=10.0.0.1", "MESOS_IP=10.0.0.2"};
  EXPECT_EQ(loadWith({}, {"LIBPROCESS_IP=10.0.0.1"})->config.ip->text, "10.0.0.1");
  EXPECT_EQ(loadWith({}, both)->config.ip->text, "10.0.0.2");
  EXPECT_EQ(loadWith({}, {"LIBPROCESS_ADVERTISE_PORT=81", "LIBPROCESS_PORT=7"})->config.advertisePort.number, 81);
}

TEST_F(LoadTest, SomeSettingsExcludeEachOther) {
  EXPECT_EQ(errorWith({"--ip=10.0.0.1", "--ip_discovery_command=echo"}),
            "ip_discovery_command: cannot be given together with ip");
  EXPECT_EQ(errorWith({"--authentication_timeout_min=2mins"}),
            "authentication_timeout_min: must not be longer than authentication_timeout_max");
}

TEST(MesosFlags, AreNoSettingsAndSaySo) {
  for (const MesosFlag& flag : mesosFlags()) {
    EXPECT_EQ(findOption(flag.name), nullptr) << flag.name;
    EXPECT_EQ(std::ranges::count(mesosFlags(), flag.name, &MesosFlag::name), 1) << flag.name;
    if (!flag.inForce.empty() && flag.name != "containerizers") {
      EXPECT_EQ(flag.judge(flag.inForce).kind, Verdict::Kind::Met) << flag.name;
    }
    const Verdict verdict = flag.judge(flag.kind == Kind::Boolean ? "true" : "anything");
    EXPECT_EQ(verdict.kind == Verdict::Kind::Met, verdict.reason.empty()) << flag.name;
  }
}

// What docs/mesos.md says of a flag that is ignored or refused: its name, what is met all the same, and why.
std::string documented(const MesosFlag& flag) {
  const Verdict verdict = flag.judge(flag.kind == Kind::Boolean && flag.inForce != "true" ? "true" : "false");
  return fmt::format("| `{}` | {} | {} |", flag.name, flag.inForce.empty() ? "" : "`" + flag.inForce + "`",
                     verdict.reason);
}

TEST(MesosFlags, AreAllInTheManual) {
  const std::string manual = *kernel::readFile(MESOS_MANUAL);
  for (const MesosFlag& flag : mesosFlags()) {
    const bool isList = flag.name == "isolation" || flag.name == "containerizers" || flag.name == "image_providers";
    const std::string row = isList ? "`" + flag.name + "`" : documented(flag);
    EXPECT_NE(manual.find(row), std::string::npos) << row;
  }
  for (const Option& option : options()) {
    EXPECT_NE(manual.find("`" + option.name + "`"), std::string::npos) << option.name;
  }
}

TEST_F(LoadTest, OnlyANamedFileMustExist) {
  EXPECT_EQ(errorWith({"--config=/nowhere/agent.toml"}).substr(0, 15), "configuration: ");
  EXPECT_EQ(errorWith({"--config_dir=/nowhere"}).substr(0, 15), "configuration: ");
}

TEST_F(LoadTest, HelpWinsOverEveryError) {
  EXPECT_EQ(loadWith({"--nonsense", "--help"})->action, Loaded::Action::Help);
  EXPECT_EQ(loadWith({"--version"}, {"GANTRY_NONSENSE=1"})->action, Loaded::Action::Version);
}

TEST_F(LoadTest, WhatIsPrintedReadsBackAsTheSame) {
  const auto loaded = loadWith({"--insecure_registries=a,b", "--port=1", "--hostname=a \"b\"", "--print-config"});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->action, Loaded::Action::PrintConfig);
  const std::string text = printedConfig(*loaded);
  EXPECT_NE(text.find("\nport = 1  # --port\n"), std::string::npos) << text;
  write("agent.toml", text);
  const auto again = loadWith({});
  ASSERT_TRUE(again) << again.error().message();
  for (const Setting& one : loaded->settings) EXPECT_EQ(setting(*again, one.name).value, one.value) << one.name;
}

TEST_F(LoadTest, ThePackagedFileShowsEverySettingWithItsDefault) {
  std::string text = *kernel::readFile(PACKAGED_CONFIG);
  write("agent.toml", text);
  const auto asPackaged = loadWith({});
  ASSERT_TRUE(asPackaged) << asPackaged.error().message();
  for (const Option& option : options()) {
    if (!option.inFiles) continue;
    EXPECT_EQ(setting(*asPackaged, option.name).origin, "default");
    const std::size_t line = text.find("\n# " + option.name + " = ");
    ASSERT_NE(line, std::string::npos) << option.name;
    text.replace(line, 3, "\n");
  }
  write("agent.toml", text);
  const auto uncommented = loadWith({});
  ASSERT_TRUE(uncommented) << uncommented.error().message();
  const Config defaults;
  for (const Option& option : options()) {
    if (!option.inFiles) continue;
    EXPECT_EQ(setting(*uncommented, option.name).value, option.get(defaults)) << option.name;
  }
}

TEST(Options, DefaultsReadBackAndAreDescribed) {
  const Config defaults;
  for (const Option& option : options()) {
    Config config;
    EXPECT_TRUE(option.set(config, option.get(defaults))) << option.name;
    EXPECT_TRUE(option.description.ends_with('.')) << option.name;
    const std::string shown =
        option.kind == Kind::Boolean ? "--[no-]" + option.name : "--" + option.name + "=" + option.placeholder;
    EXPECT_NE(helpText().find("\n  " + shown + "\n"), std::string::npos) << option.name;
  }
}

}  // namespace
}  // namespace gantry::agent
