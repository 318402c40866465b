mod common;
use linear_probe::*;
#[test]
fn large() {
    let n: usize = std::env::var("N").unwrap().parse().unwrap();
    let d = 2304;
    let t = std::time::Instant::now();
    let (x, classes) = common::clusters(n, d, 26, &mut stats::seed::rng(2, "clusters"));
    println!("data {:?}", t.elapsed());
    let labels = Labels::new(&classes, 26).unwrap();
    let design = Design::new(&x, n, d).unwrap();
    let t = std::time::Instant::now();
    let fit = fit_logistic(design, &labels, &LogisticConfig::balanced(0.01)).unwrap();
    println!("fit {:?} {:?}", t.elapsed(), fit.outcomes.iter().map(|o| o.iterations).max());
    let t = std::time::Instant::now();
    let m = Moments::new(design, &labels).unwrap();
    println!("moments {:?} rho {}", t.elapsed(), m.ledoit_wolf_intensity());
    let t = std::time::Instant::now();
    Leace::per_class(&m, Shrinkage::LedoitWolf).unwrap();
    println!("rank1 {:?}", t.elapsed());
    let t = std::time::Instant::now();
    Leace::joint(&m, Shrinkage::LedoitWolf).unwrap();
    println!("joint {:?}", t.elapsed());
    println!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
