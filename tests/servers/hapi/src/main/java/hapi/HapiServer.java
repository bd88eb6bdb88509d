package hapi;

import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.IInterceptorService;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirPostgresDialect;
import ca.uhn.fhir.jpa.packages.IPackageInstallerSvc;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.servlet.ServletRequestDetails;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.hl7.fhir.dstu2.model.Subscription;
import org.hl7.fhir.r4.model.Bundle;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.elasticsearch.ElasticsearchClientAutoConfiguration;
import org.springframework.boot.autoconfigure.elasticsearch.ElasticsearchRestClientAutoConfiguration;
import org.springframework.boot.autoconfigure.orm.jpa.HibernateJpaAutoConfiguration;
import org.springframework.boot.autoconfigure.quartz.QuartzAutoConfiguration;
import org.springframework.boot.autoconfigure.thymeleaf.ThymeleafAutoConfiguration;
import org.springframework.boot.web.context.WebServerPortFileWriter;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * HAPI FHIR JPA, R4, with its stock behaviour, as one process for the tests.
 *
 * <p>Settings are Spring's own, as -D system properties: server.port (0 = a free one, written to the
 * file named by -Dportfile), spring.datasource.url/username/password (default: H2 in memory), and
 * server.tomcat.accesslog.directory/prefix for the access log. hapi.fhir.allow_external_references
 * takes references to other servers, which stock HAPI refuses. Every line of that log starts with
 * the request's number in order of arrival: a reader who knows the number of a later request can
 * wait until no earlier one is missing, so that a write is never overlooked because its line came
 * a moment after its answer.
 */
@SpringBootConfiguration
@EnableAutoConfiguration(
    exclude = {
      ThymeleafAutoConfiguration.class,
      QuartzAutoConfiguration.class,
      HibernateJpaAutoConfiguration.class,
      ElasticsearchRestClientAutoConfiguration.class,
      ElasticsearchClientAutoConfiguration.class
    })
@Import({
  JpaR4Config.class,
  HapiJpaConfig.class,
  ThreadPoolFactoryConfig.class,
  SubscriptionSubmitterConfig.class,
  SubscriptionProcessorConfig.class,
  SubscriptionChannelConfig.class,
  JpaBatch2Config.class,
  Batch2JobsConfig.class
})
public class HapiServer {

  private static final int DEFAULT_PAGE_SIZE = 20;
  private static final int MAXIMUM_PAGE_SIZE = 500;

  public static void main(String[] arguments) {
    SpringApplication application = new SpringApplication(HapiServer.class);
    application.setDefaultProperties(
        Map.ofEntries(
            Map.entry("server.address", "127.0.0.1"),
            Map.entry("server.port", "0"),
            Map.entry("server.tomcat.accesslog.enabled", "true"),
            Map.entry("server.tomcat.accesslog.buffered", "false"),
            Map.entry("server.tomcat.accesslog.rotate", "false"),
            Map.entry("server.tomcat.accesslog.suffix", ""),
            Map.entry("server.tomcat.accesslog.pattern", "%{number}r %m %s %{entries}r %U%q"),
            Map.entry("spring.datasource.url", "jdbc:h2:mem:hapi;DB_CLOSE_DELAY=-1"),
            Map.entry("spring.datasource.hikari.maximum-pool-size", "20"),
            Map.entry("spring.main.allow-bean-definition-overriding", "true"),
            Map.entry("spring.main.allow-circular-references", "true"),
            Map.entry("spring.main.banner-mode", "off"),
            Map.entry("spring.batch.job.enabled", "false"),
            Map.entry("spring.flyway.enabled", "false"),
            Map.entry("logging.level.root", "WARN")));
    application.addListeners(new WebServerPortFileWriter("hapi.port"));
    application.run(arguments);
  }

  /** HAPI's defaults, referential checks and the 60 s search cache among them. */
  @Bean
  JpaStorageSettings storageSettings(
      @Value("${hapi.fhir.allow_external_references:false}") boolean allowsExternalReferences) {
    JpaStorageSettings settings = new JpaStorageSettings();
    // Named as in the JPA starter, which is off by default too.
    settings.setAllowExternalReferences(allowsExternalReferences);
    // Both only offer what a test session empties the server with.
    settings.setExpungeEnabled(true);
    settings.setAllowMultipleDelete(true);
    return settings;
  }

  @Bean
  PartitionSettings partitionSettings() {
    return new PartitionSettings();
  }

  /**
   * With REST hooks HAPI notes each write for its notifier, which tidies up every 5 s; a write that
   * meets it is answered 409 (HAPI-0826) with nothing done, about one in 7,000.
   */
  @Bean
  SubscriptionSettings subscriptionSettings(
      @Value("${hapi.fhir.subscription.resthook_enabled:false}") boolean callsRestHooks) {
    SubscriptionSettings settings = new SubscriptionSettings();
    // Named as in the JPA starter, which is off by default too.
    if (callsRestHooks) {
      settings.addSupportedSubscriptionType(Subscription.SubscriptionChannelType.RESTHOOK);
    }
    return settings;
  }

  @Bean
  IEmailSender emailSender() {
    return email -> {};
  }

  @Bean
  LocalContainerEntityManagerFactoryBean entityManagerFactory(
      ConfigurableListableBeanFactory beans,
      FhirContext fhir,
      JpaStorageSettings settings,
      DataSource database,
      @Value("${spring.datasource.url}") String url) {
    Class<?> dialect =
        url.startsWith("jdbc:postgresql:") ? HapiFhirPostgresDialect.class : HapiFhirH2Dialect.class;
    Properties hibernate = new Properties();
    hibernate.put("hibernate.dialect", dialect.getName());
    hibernate.put("hibernate.hbm2ddl.auto", "update");
    hibernate.put("hibernate.search.enabled", "false");
    LocalContainerEntityManagerFactoryBean factory =
        HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
    factory.setPersistenceUnitName("HAPI_PU");
    factory.setDataSource(database);
    factory.setJpaProperties(hibernate);
    return factory;
  }

  @Bean
  @Primary
  JpaTransactionManager transactionManager(EntityManagerFactory factory) {
    return new JpaTransactionManager(factory);
  }

  @Bean
  ServletRegistrationBean<RestfulServer> fhirServlet(
      FhirContext fhir,
      ResourceProviderFactory resources,
      IJpaSystemProvider system,
      IFhirSystemDao<?, ?> systemDao,
      JpaStorageSettings settings,
      ISearchParamRegistry searchParameters,
      IValidationSupport validation,
      DatabaseBackedPagingProvider pages,
      IInterceptorService interceptors) {
    pages.setDefaultPageSize(DEFAULT_PAGE_SIZE);
    pages.setMaximumPageSize(MAXIMUM_PAGE_SIZE);
    RestfulServer server = new RestfulServer(fhir);
    server.setInterceptorService(interceptors);
    server.registerProviders(resources.createProviders());
    server.registerProvider(system);
    server.registerInterceptor(new BundleEntriesForTheLog());
    server.setPagingProvider(pages);
    server.setServerConformanceProvider(
        new JpaCapabilityStatementProvider(
            server, systemDao, settings, searchParameters, validation));
    ServletRegistrationBean<RestfulServer> servlet =
        new ServletRegistrationBean<>(server, "/fhir/*");
    servlet.setLoadOnStartup(1);
    return servlet;
  }

  @Bean
  ServletRegistrationBean<PackageInstallation> packageServlet(IPackageInstallerSvc installer) {
    return new ServletRegistrationBean<>(new PackageInstallation(installer), "/install-package");
  }

  /** Numbers every request at its arrival; answers /fence, which serves to learn a number. */
  @Bean
  FilterRegistrationBean<Filter> numbering() {
    AtomicLong arrivals = new AtomicLong();
    return new FilterRegistrationBean<>(
        (request, response, chain) -> {
          long number = arrivals.incrementAndGet();
          request.setAttribute("number", number);
          if ("/fence".equals(((HttpServletRequest) request).getRequestURI())) {
            ((HttpServletResponse) response).setHeader("Request-Number", Long.toString(number));
          } else {
            chain.doFilter(request, response);
          }
        });
  }

  /** Gives the methods of a Bundle's entries to the access log: a batch of reads is no write. */
  public static final class BundleEntriesForTheLog {
    @Hook(Pointcut.SERVER_INCOMING_REQUEST_PRE_HANDLED)
    public void note(RequestDetails request, ServletRequestDetails servletRequest) {
      if (servletRequest != null && request.getResource() instanceof Bundle bundle
          && bundle.hasEntry()) {
        Map<String, Long> methods =
            bundle.getEntry().stream()
                .map(entry -> String.valueOf(entry.getRequest().getMethod()))
                .collect(Collectors.groupingBy(method -> method, Collectors.counting()));
        servletRequest.getServletRequest().setAttribute("entries", noted(methods));
      }
    }

    private static String noted(Map<String, Long> methods) {
      return methods.entrySet().stream()
          .map(each -> each.getKey() + "x" + each.getValue())
          .collect(Collectors.joining(","));
    }
  }
}
